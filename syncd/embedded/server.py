"""Start the embedded store on a port."""

import errno
import socket
from pathlib import Path

from aiohttp import web

from syncd.core.errors import SyncdError
from syncd.embedded.http import routes
from syncd.embedded.node import Node
from syncd.embedded.occupant import ANOTHER, describe

_LONGEST_PATH = 65_536  # a key of 4 KB is 12 KB when it is escaped
_BACKLOG = 1024
_GRACE = 2.0  # seconds that a close leaves to requests under way


class Server:
    """A running embedded store."""

    def __init__(self, node: Node, runner: web.ServerRunner, address: str) -> None:
        self._node = node
        self._runner = runner
        self.address = address

    @property
    def waiting(self) -> int:
        """The number of blocking queries that are parked."""
        return self._node.waiting

    async def close(self) -> None:
        """Answer what is under way, then let port and database go."""
        self._node.drain()
        await self._runner.cleanup()
        await self._node.close()


async def start(database: Path, host: str = "127.0.0.1", port: int = 8500) -> Server:
    """Open ``database`` and serve it; port 0 takes any free one."""
    # The port comes first: whoever starts a second time is told that, not that the database is in use.
    listener = await _listen(host, port)
    try:
        node = Node(database)
    except BaseException:
        listener.close()
        raise
    runner = _runner(node)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return Server(node, runner, f"http://{_url_host(host)}:{listener.getsockname()[1]}")


def _runner(node: Node) -> web.ServerRunner:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await routes.answer(node, request)

    server = web.Server(
        answer,
        handler_cancellation=True,  # a blocking query ends with its client
        auto_decompress=False,  # bodies are stored as sent
        max_line_size=_LONGEST_PATH,
        access_log=None,
    )
    return web.ServerRunner(server, shutdown_timeout=_GRACE)


async def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as problem:
        where = f"{host}:{port}"
        if problem.errno == errno.EADDRINUSE:
            found = await describe(f"http://{_url_host(host)}:{port}")
            raise SyncdError(f"the port is taken by {found}", where=where, hint=_way_out(found)) from problem
        text = f"the embedded store cannot listen: {problem.strerror}"
        raise SyncdError(text, where=where, hint="choose another host or port") from problem


def _way_out(found: str) -> str:
    """Say what helps; only one syncd at a time can use a clone's store, whatever port it is given."""
    hint = "stop it, or choose another port: `make run PORT=…`, `--embedded-port …`"
    own = "; a second one of the same clone needs a --state-directory of its own too (SYNCD_STATE_DIRECTORY=…)"
    return hint + own if found == ANOTHER else hint


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
