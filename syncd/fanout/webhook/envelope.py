"""What a request says of its message: the same for every subscriber, so it is written once and not once for each."""

from collections.abc import Callable

from syncd.fanout.sender import Message


class Envelope:
    """``headers`` go behind ``Content-Length: ``; ``signed`` is ``ID.TIMESTAMP.BODY``, as the specification has it."""

    __slots__ = ("headers", "message", "signed", "timestamp")

    def __init__(self, message: Message, timestamp: int) -> None:
        name = message.id.encode("ascii")
        self.message = message
        self.timestamp = timestamp
        self.signed = b"%b.%d.%b" % (name, timestamp, message.body)
        self.headers = b"%d\r\nwebhook-id: %b\r\nwebhook-timestamp: %d\r\n" % (len(message.body), name, timestamp)


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
