"""Telling one subscriber over HTTP: one request at a time on a connection that is kept."""

import asyncio
from typing import Final

from syncd import __version__
from syncd.core.url import HttpUrl
from syncd.fanout.sender import Done, Message, Result
from syncd.fanout.webhook.connection import Connection
from syncd.fanout.webhook.connector import Connector, NotConnected
from syncd.fanout.webhook.deadlines import Deadlines
from syncd.fanout.webhook.envelope import Envelopes
from syncd.fanout.webhook.outcome import failed, outcome
from syncd.fanout.webhook.signing import SecretFile

IDLE_LIMIT: Final = 60.0
"""Seconds after which a kept connection is not used again: names move, and firewalls forget in silence."""


class WebhookSender:
    """Makes one try after another; see ``fanout/sender.py`` for the contract.

    ``timeout`` (seconds) is for the whole try, look-up and connecting included. A status counts once the head of the
    reply is whole, whatever becomes of the body. A kept connection that breaks before the reply begins is replaced once
    within the same try: most often it was idle for too long, and a receiver knows a repeated message by its id.
    """

    __slots__ = (
        "_connecting",
        "_connection",
        "_connector",
        "_deadline",
        "_done",
        "_envelopes",
        "_loop",
        "_message",
        "_reused",
        "_secrets",
        "_start",
        "_timeout",
        "_trusted",
        "_url",
        "_used",
    )

    def __init__(
        self,
        url: HttpUrl,
        *,
        timeout: float,
        trusted: bool,
        secrets: SecretFile | None,
        loop: asyncio.AbstractEventLoop,
        deadlines: Deadlines,
        connector: Connector,
        envelopes: Envelopes,
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._trusted = trusted
        self._secrets = secrets
        self._loop = loop
        self._deadline = deadlines.make(timeout, self._late)
        self._connector = connector
        self._envelopes = envelopes
        self._start = (
            f"POST {url.target} HTTP/1.1\r\nHost: {url.authority}\r\nUser-Agent: syncd/{__version__}\r\n"
            "Content-Type: application/cloudevents+json\r\nContent-Length: "
        ).encode()
        self._message: Message | None = None
        self._done: Done | None = None
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._reused = False
        self._used = 0.0

    def send(self, message: Message, done: Done) -> None:
        """Start one try."""
        assert self._done is None, "one message at a time"
        self._message, self._done = message, done
        now = self._deadline.start()
        if self._connection is not None and now - self._used < IDLE_LIMIT and self._ask(self._connection, now):
            self._reused = True
        else:
            self._connect()

    async def close(self) -> None:
        """Give up what is under way and free everything."""
        self._done = self._message = None
        self._deadline.stop()
        self._drop()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))

    def answered(self, status: int, retry_after: bytes) -> None:
        """Take the reply."""
        self._end(outcome(status, retry_after, self._envelopes.now() if retry_after else 0.0))

    def broken(self, why: str, *, untouched: bool) -> None:
        """Take note that no reply will come."""
        if self._reused and untouched:
            self._connect()
        else:
            self._end(failed(why))

    def _ask(self, connection: Connection, now: float) -> bool:
        """Send the request; False where the connection is closed."""
        assert self._message is not None
        envelope = self._envelopes.around(self._message)
        signer = self._secrets.signer(now) if self._secrets is not None else None
        self._used = now
        return connection.request(self._start + envelope.rest(signer), envelope.apart)

    def _connect(self) -> None:
        self._drop()
        self._reused = False
        self._connecting = self._loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            connection = await self._connector.open(
                self._url, trusted=self._trusted, patience=self._timeout, make=lambda: Connection(self)
            )
        except NotConnected as error:
            self._connecting = None
            self._end(failed(str(error)))
        else:
            self._connecting = None
            self._connection = connection
            if not self._ask(connection, self._loop.time()):
                self._end(failed("the connection was closed before an answer"))

    def _late(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
            self._end(failed(f"no connection within {self._timeout:g}s"))
            return
        connection = self._connection
        assert connection is not None
        self._drop()
        if connection.reply.headed:
            self.answered(connection.reply.status, connection.reply.retry_after)
        else:
            self._end(failed(f"no answer within {self._timeout:g}s"))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def _end(self, result: Result) -> None:
        """Be ready for the next message before anybody hears of the end of this one."""
        self._deadline.stop()
        done, self._done, self._message = self._done, None, None
        assert done is not None
        done(result)
