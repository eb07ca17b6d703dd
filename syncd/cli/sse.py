"""Reading server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as they come."""

from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_BYTES: Final = 8 << 20
"""Of one event; what is larger is no event of a daemon's."""


class Frame(NamedTuple):
    """One event; ``id`` is where to go on after it."""

    id: str
    data: bytes


class Frames:
    """Puts frames together from pieces; ``id`` is that of the last whole one."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._id = self.id = ""

    def cut(self) -> None:
        """Forget a frame that did not become whole: the connection has ended."""
        self._rest.clear()
        self._data.clear()
        self._id = self.id

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Take the next piece; return what became whole. ValueError where an event has no end."""
        self._rest += piece
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            yield from self._line(bytes(line).removesuffix(b"\r"))
        if len(self._rest) + sum(map(len, self._data)) > MOST_BYTES:
            raise ValueError("an event without an end")

    def _line(self, line: bytes) -> Iterator[Frame]:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            data, self._data, self.id = b"\n".join(self._data), [], self._id
            if data:
                yield Frame(self.id, data)
        elif name == b"data":
            self._data.append(value)
        elif name == b"id":
            self._id = value.decode(errors="replace")
