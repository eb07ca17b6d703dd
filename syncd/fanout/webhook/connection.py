"""One keep-alive connection to a receiver: callbacks only, no future and no task for a delivery."""

import asyncio
from typing import Protocol, cast

from syncd.core.text import printable
from syncd.fanout.webhook.reply import BadReply, Replies


class Owner(Protocol):
    """Who makes requests on a connection."""

    def answered(self, status: int, retry_after: bytes) -> None:
        """Take the reply to the request."""
        ...

    def broken(self, why: str, *, untouched: bool) -> None:
        """Take note that no reply will come; ``untouched``: the peer had not begun to reply."""
        ...


class Connection(asyncio.Protocol):
    """A connection, over TLS or not. Its owner hears of exactly one end of each request, or of none after ``drop``."""

    __slots__ = ("_asking", "_owner", "_replies", "_transport")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._replies = Replies()
        self._transport: asyncio.Transport | None = None
        self._asking = False

    def request(self, head: bytes, apart: bytes) -> bool:
        """Send a whole request, a large body ``apart``; False where the connection is closed, and nothing is sent."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        self._asking = True
        self._replies.begin()
        if apart:
            transport.writelines((head, apart))
        else:
            transport.write(head)
        return True

    def drop(self) -> None:
        """Close without another word to the owner. Nothing is flushed: the peer may never read it."""
        self._asking = False
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def reply(self) -> Replies:
        """Return what has come of the reply."""
        return self._replies

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read the reply; what comes without a request means that the two ends no longer agree."""
        if not self._asking:
            self.drop()
            return
        try:
            over = self._replies.feed(data)
        except BadReply as error:
            self.drop()
            self._owner.broken(str(error), untouched=False)
            return
        if over:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice that the peer has closed."""
        self._transport = None
        if not self._asking:
            return
        if self._replies.headed:
            self._end()
            return
        self._asking = False
        self._owner.broken(_why(exc), untouched=not self._replies.begun)

    def _end(self) -> None:
        self._asking = False
        transport, replies = self._transport, self._replies
        # A reply that came before the whole request was written leaves the rest of it in the way of the next one.
        if transport is not None and not (replies.reusable and transport.get_write_buffer_size() == 0):
            self.drop()
        self._owner.answered(replies.status, replies.retry_after)


def _why(error: Exception | None) -> str:
    if error is None:
        return "the connection was closed before an answer"
    text = error.strerror if isinstance(error, OSError) else None
    return f"the connection broke before an answer: {printable(text or type(error).__name__).lower()[:200]}"
