"""Reading replies as far as they matter: the status and ``Retry-After``. Everything else is counted and dropped."""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_LIMIT: Final = 16 * 1024
BODY_LIMIT: Final = 64 * 1024

_SWITCHING: Final = 101
_MOST_KNOWN, _LONGEST_KNOWN = 256, 512
_known: dict[bytes, tuple[int, bytes]] = {}
"""Status and Retry-After of whole replies by their very bytes, of which many are the same: one program answers for many
subscribers, and even a date changes but once a second. Parsing takes ten times as long as finding one here."""


class BadReply(Exception):
    """What came is no HTTP reply, or its head is too large."""


class Replies:
    """The replies on one connection, one after another; ``begin`` before each.

    ``begun``: something of the reply has come. ``headed``: its head is whole, so ``status`` counts whatever becomes of
    the body. ``reusable``: another request may follow on the connection.
    """

    __slots__ = ("_left", "_over", "_parser", "begun", "headed", "retry_after", "reusable", "status")

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Expect the reply to the next request."""
        self._left = HEAD_LIMIT
        self._over = self.begun = self.headed = self.reusable = False
        self.status = 0
        self.retry_after = b""

    def feed(self, received: bytes) -> bool:
        """Take what has come; tell whether the reply is over: whole, or its head whole and its body too large."""
        fresh, self.begun = not self.begun, True
        if fresh and received in _known:
            self.status, self.retry_after = _known[received]
            self._over = self.headed = self.reusable = True
            self._left = BODY_LIMIT
            return True
        if len(received) > self._left:
            return self._cut(received)
        self._left -= len(received)
        try:
            self._parser.feed_data(received)
        except (HttpParserError, HttpParserUpgrade):
            self.reusable = False
            if not self.headed:
                raise BadReply("the reply is not HTTP/1.1") from None
            return True
        if fresh and self.reusable and len(received) <= _LONGEST_KNOWN:
            self._learn(received)
        return self._over

    def _learn(self, received: bytes) -> None:
        """Remember what is one whole reply, and nothing of another."""
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[received] = self.status, self.retry_after

    def _cut(self, received: bytes) -> bool:
        """Take what is still allowed, and the rest only if that was the end of the head."""
        was_headed = self.headed
        allowed, rest = received[: self._left], received[self._left :]
        if self.feed(allowed) or was_headed:
            self.reusable = False
            return True
        if not self.headed:
            raise BadReply(f"the head of the reply is over {HEAD_LIMIT // 1024} KiB")
        return self.feed(rest)

    # What the parser calls. Of a 1xx reply (more follows) only the size counts, towards the limit of the head.

    def on_message_begin(self) -> None:
        """Notice what follows a whole reply: nobody asked for it."""
        if self._over:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Pick the one header that matters."""
        if len(name) == 11 and not self.headed and name.lower() == b"retry-after":
            self.retry_after = value

    def on_headers_complete(self) -> None:
        """Keep the status."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != _SWITCHING:
            self.retry_after = b""
        elif not self.headed:
            self.status, self.headed, self._left = status, True, BODY_LIMIT

    def on_message_complete(self) -> None:
        """See the end of a reply."""
        if self.headed and not self._over:
            self._over = True
            self.reusable = self._parser.should_keep_alive()
