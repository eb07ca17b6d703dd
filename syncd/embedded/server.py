"""Start the embedded store on a port."""

import errno
from pathlib import Path

from aiohttp import web

from syncd.core.errors import SyncdError
from syncd.embedded.http import routes
from syncd.embedded.node import Node
from syncd.embedded.occupant import describe

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
    node = Node(database)
    runner = _runner(node)
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
    except BaseException as problem:
        await runner.cleanup()
        await node.close()
        if isinstance(problem, OSError):
            raise await _explained(problem, host, port) from problem
        raise
    bound = runner.addresses[0][1]
    return Server(node, runner, f"http://{_url_host(host)}:{bound}")


def _runner(node: Node) -> web.ServerRunner:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await routes.answer(node, request)

    # A blocking query ends with its client; bodies are stored as sent, compressed or not.
    server = web.Server(answer, handler_cancellation=True, auto_decompress=False, access_log=None)
    return web.ServerRunner(server, shutdown_timeout=_GRACE)


async def _explained(problem: OSError, host: str, port: int) -> SyncdError:
    where = f"{host}:{port}"
    if problem.errno != errno.EADDRINUSE:
        return SyncdError(
            f"the embedded store cannot listen: {problem.strerror}", where=where, hint="choose another host or port"
        )
    found = await describe(f"http://{_url_host(host)}:{port}")
    return SyncdError(
        f"the port is taken by {found}",
        where=where,
        hint="stop it, or choose another port: `make run PORT=…`, `--embedded-port …`",
    )


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
