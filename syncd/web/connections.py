"""Connections: how many at once, and how long each may take; aiohttp itself keeps silent and slow ones open."""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from syncd.web import answers
from syncd.web.answers import Refusal

MOST: Final = 1_200
FILES_LEFT: Final = 256
"""File descriptors that connections leave to the rest of the daemon: watches, git, the journal, deliveries."""
HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 10.0
CALL_SECONDS: Final = 90.0
IDLE_SECONDS: Final = 75.0
_LOOK_EVERY: Final = 1.0
_LINE: Final = 8 << 10
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connections:
    """All open connections, whatever listener they came by; ``most`` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self.shed = 0

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "Connection") -> bool:
        """Take a connection in, unless there are too many."""
        if len(self._open) >= self._most:
            self.shed += 1
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: "Connection") -> None:
        """Let go of a connection that has ended."""
        self._open.discard(connection)

    async def run(self) -> None:
        """Drop those whose time is over, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = loop.time()
            for connection in [each for each in self._open if each.deadline < now]:
                connection.drop()


class Connection(RequestHandler):
    """One connection; by ``deadline``, on the loop's clock, whatever it is at must be over."""

    def __init__(self, manager: "Listener", connections: Connections, **limits: Any) -> None:  # noqa: ANN401  # aiohttp's own
        super().__init__(manager, **limits)
        self.all = connections
        self._calling = False
        self.deadline = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection in, or send it away."""
        super().connection_made(transport)
        self._allow(HEADER_SECONDS)
        if not self.all.admit(self):
            cast("asyncio.Transport", transport).write(_FULL)  # uvloop's is none by its type
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self.all.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a call that begins must say what it wants in time."""
        if not self._calling:
            self.deadline = min(self.deadline, self._loop.time() + HEADER_SECONDS)
        super().data_received(data)

    def begin(self) -> None:
        """A call was read, all but its body."""
        self._calling = True
        self._allow(CALL_SECONDS)

    def stream(self) -> None:
        """The call goes on for ever."""
        self.deadline = inf

    def end(self) -> None:
        """A call was answered; what remains is to send the answer."""
        self._calling = False
        self._allow(IDLE_SECONDS)

    def drop(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what was not even HTTP, or what nobody foresaw."""
        if status >= 500:
            self.log_exception("an HTTP call failed", exc_info=exc)
        if request.writer.output_size > 0:  # half an answer is out already
            raise ConnectionError("what was begun cannot be answered otherwise")
        said = (message or "").partition("\n")[0] if status < 500 else "the daemon failed; its log says why"
        found = answers.refusal(Refusal(status, said or "this is no HTTP call"))
        found.force_close()
        return found

    def _allow(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds


class Listener(web.Server):
    """What one listening socket hands its connections to."""

    def __init__(self, answer: Answer, connections: Connections) -> None:
        super().__init__(answer, handler_cancellation=True)
        self._limited = connections

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return Connection(
            self,
            self._limited,
            loop=self._loop,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,
            max_line_size=_LINE,
            max_field_size=_LINE,
            lingering_time=0,
            auto_decompress=False,
        )


def most_connections() -> int:
    """Return how many connections this process has file descriptors for; raise its own limit where it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + FILES_LEFT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError):  # a hardened service may not
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return MOST if soft == resource.RLIM_INFINITY else max(16, min(MOST, soft - FILES_LEFT))
