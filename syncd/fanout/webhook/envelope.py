"""What a request says of its message: the same for every subscriber, so it is written once and not once for each."""

from collections.abc import Callable
from typing import Final

from syncd.fanout.sender import Message
from syncd.fanout.webhook.signing import Signer

_JOINED: Final = 16 * 1024
"""Bytes up to which a body is copied behind its head; a larger one is shared by all who still have to send it."""


class Envelope:
    """A message as it is sent at one second. ``apart`` is a large body, which goes behind ``rest``; else b""."""

    __slots__ = ("_headers", "_rest", "_signed", "_signer", "apart", "message", "timestamp")

    def __init__(self, message: Message, timestamp: int) -> None:
        name, body = message.id.encode("ascii"), message.body
        self.message = message
        self.timestamp = timestamp
        self.apart = body if len(body) > _JOINED else b""
        self._signed = b"%b.%d.%b" % (name, timestamp, body)  # as the specification has it
        self._headers = b"%d\r\nwebhook-id: %b\r\nwebhook-timestamp: %d\r\n" % (len(body), name, timestamp)
        self._signer: Signer | None = None
        self._rest = self._write(None)

    def rest(self, signer: Signer | None) -> bytes:
        """Return everything from the length on, signed; for who shares a signer with the last one it stands there."""
        if signer is not self._signer:
            self._signer, self._rest = signer, self._write(signer)
        return self._rest

    def _write(self, signer: Signer | None) -> bytes:
        body = b"" if self.apart else self.message.body
        if signer is None:
            return b"%b\r\n%b" % (self._headers, body)
        return b"%bwebhook-signature: %b\r\n\r\n%b" % (self._headers, signer.sign(self._signed), body)


class Envelopes:
    """Makes envelopes and keeps the last one; ``wall_clock`` is in seconds since 1970."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._last = Envelope(Message("", b""), 0)

    def now(self) -> float:
        """Read the wall clock."""
        return self._wall_clock()

    def around(self, message: Message) -> Envelope:
        """Make the envelope for a try that is sent now."""
        now = int(self._wall_clock())
        last = self._last
        if last.message is not message or last.timestamp != now:
            last = self._last = Envelope(message, now)
        return last
