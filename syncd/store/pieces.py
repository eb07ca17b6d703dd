"""A long JSON array of objects, decoded piece by piece while it arrives, so that it never stands in memory whole."""

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

PIECE: Final = 1 << 20

# Between two objects of an array. It cannot be found inside a string: there the quote would be the string's end, after
# which no letter comes, or escaped, and then the character before it were a backslash.
_BETWEEN: Final = re.compile(rb'\}\s*,\s*(?=\{\s*"[A-Za-z])')


class Pieces(Generic[Item]):
    """Takes an array's bytes in any portions and gives back its objects in order.

    ``decode`` reads a whole, smaller array. ``feed`` and ``close`` raise ``decode``'s error for bytes that are no
    such array; only after ``close`` is it known that the array was whole.
    """

    def __init__(self, decode: Callable[[bytes], list[Item]], *, size: int = PIECE) -> None:
        self._decode = decode
        self._size = size
        self._rest = bytearray()
        self._started = False

    def feed(self, portion: bytes) -> list[Item]:
        """Take the next bytes; return the objects of a full piece, or nothing yet."""
        self._rest += portion
        if len(self._rest) < self._size:
            return []
        return self._cut()

    def close(self) -> list[Item]:
        """Return the last objects, when the bytes have ended."""
        text = bytes(self._rest)
        return self._decode(b"[" + text if self._started else text)

    def _cut(self) -> list[Item]:
        between = self._last_gap()
        if between is None:
            return []
        end = between.start() + 1
        text = bytes(memoryview(self._rest)[:end])
        piece = b"[" + text + b"]" if self._started else text + b"]"
        items = self._decode(piece)
        gap = between.end()
        del between
        del self._rest[:gap]
        self._started = True
        return items

    def _last_gap(self) -> "re.Match[bytes] | None":
        at = len(self._rest)
        while (at := self._rest.rfind(b"}", 0, at)) >= 0:
            found = _BETWEEN.match(self._rest, at)
            if found is not None:
                return found
        return None
