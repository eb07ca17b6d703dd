"""Event streams (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html) to many clients.

One encoding for all that want the same, written straight to their transports: nobody waits for anybody.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from syncd.core.cloudevent import MAX_BYTES
from syncd.core.subscriber import Filter

MOST_UNREAD: Final = 2 * MAX_BYTES
"""A client with more unread is dropped: one that reads has room for an event while the one before is under way."""
_LOOK_EVERY: Final = MOST_UNREAD // 4
"""Looking at a client costs as much as a third of a write, so all are looked at only after so many bytes."""
HEARTBEAT_SECONDS: Final = 15.0
HEARTBEAT: Final = b":\n\n"

NOT_YET: Final = 1 << 62
"""More than the number of any event: a client that joins with it is told of none, until it joins again."""
Make = Callable[[Filter, bool, int], bytes | None]
"""Makes what tells an event, by its number, to those who want these keys, with values or without; None: nothing."""


class Transport(Protocol):
    """What of an asyncio transport is used."""

    def write(self, data: bytes, /) -> None:
        """Send, or keep until it can be sent."""
        ...

    def get_write_buffer_size(self) -> int:
        """Count the bytes that are kept."""
        ...

    def is_closing(self) -> bool:
        """Tell whether the client is gone."""
        ...

    def abort(self) -> None:
        """Drop the client."""
        ...


class Channel(NamedTuple):
    """What a client wants, and whether it gets it as HTTP/1.1 chunks."""

    filter: Filter
    values: bool
    chunked: bool


class Stream:
    """One client. ``since`` is the last event that it was told before it joined; ``ended`` is set when it must go."""

    __slots__ = ("channel", "ended", "since", "transport")

    def __init__(self, transport: Transport, channel: Channel) -> None:
        self.transport = transport
        self.channel = channel
        self.since = 0
        self.ended = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Send to this client alone."""
        if not self.transport.is_closing():
            self.transport.write(chunk(data) if self.channel.chunked else data)


class Streams:
    """Every client that is told as things happen."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._groups: dict[Channel, set[Stream]] = {}
        self._written = 0
        self.dropped = 0
        self.closed = False

    def __len__(self) -> int:
        return sum(len(group) for group in self._groups.values())

    def join(self, stream: Stream, since: int) -> None:
        """Tell a client of every event after one from now on."""
        stream.since = since
        self._groups.setdefault(stream.channel, set()).add(stream)
        if self.closed:
            stream.ended.set()

    def leave(self, stream: Stream) -> None:
        """Forget a client; one that never joined is fine."""
        group = self._groups.get(stream.channel, set())
        group.discard(stream)
        if not group:
            self._groups.pop(stream.channel, None)

    def publish(self, seq: int) -> None:
        """Tell everybody whom an event concerns; who has not read what came before is dropped."""
        made: dict[tuple[Filter, bool], bytes | None] = {}
        for channel, group in self._groups.items():
            wanted = channel.filter, channel.values
            if wanted not in made:
                made[wanted] = self._make(*wanted, seq)
            told = made[wanted]
            if told is not None:
                self._write(group, chunk(told) if channel.chunked else told, seq)

    async def run(self) -> None:
        """Show every client now and then that the connection lives, for ever."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self._shed()
            beats = {False: HEARTBEAT, True: chunk(HEARTBEAT)}
            for channel, group in self._groups.items():
                for stream in group:
                    if not stream.transport.is_closing():
                        stream.transport.write(beats[channel.chunked])

    def close(self) -> None:
        """Let every client go."""
        self.closed = True
        for group in self._groups.values():
            for stream in group:
                stream.ended.set()

    def _write(self, streams: set[Stream], data: bytes, seq: int) -> None:
        if self._written > _LOOK_EVERY:
            self._shed()
        self._written += len(data)
        for stream in streams:
            if stream.since < seq and not stream.transport.is_closing():
                stream.transport.write(data)

    def _shed(self) -> None:
        """Drop who does not read."""
        self._written = 0
        for group in self._groups.values():
            for stream in [each for each in group if _is_stuck(each.transport)]:
                stream.transport.abort()
                group.discard(stream)
                self.dropped += 1


def frame(id_: str, type_: str, body: bytes) -> bytes:
    """Write one message; JSON without spaces holds no line break."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), type_.encode(), body)


def chunk(data: bytes) -> bytes:
    """Write a chunk of an HTTP/1.1 body (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _is_stuck(transport: Transport) -> bool:
    return not transport.is_closing() and transport.get_write_buffer_size() > MOST_UNREAD
