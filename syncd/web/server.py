"""The daemon's HTTP server: its unix socket, its TCP port, and their end."""

import asyncio
import socket
from pathlib import Path
from typing import Final

from aiohttp import web

from syncd.core.errors import SettingsError
from syncd.daemon.door import Door
from syncd.log import get_logger
from syncd.settings import Settings
from syncd.web import sockets
from syncd.web.connections import Connections, Listener, most_connections
from syncd.web.gate import Gate
from syncd.web.hosts import Hosts, is_loopback
from syncd.web.sockets import CannotListen
from syncd.web.tokens import Tokens

log = get_logger(__name__)

_GRACE: Final = 1.0
"""Seconds that a close leaves to calls under way."""


class Server:
    """Made by ``serve``; ``close`` it."""

    def __init__(self, door: Door, connections: Connections) -> None:
        self._door = door
        self._connections = connections
        self._runners: list[web.ServerRunner] = []
        self._path: Path | None = None
        self._tasks = [asyncio.create_task(connections.run()), asyncio.create_task(door.streams.run())]

    async def listen(self, listener: socket.socket, gate: Gate) -> None:
        """Answer calls that come by a listening socket."""
        runner = web.ServerRunner(Listener(gate.answer, self._connections), shutdown_timeout=_GRACE)
        self._runners.append(runner)
        await runner.setup()
        await web.SockSite(runner, listener).start()

    async def listen_unix(self, path: Path, gate: Gate) -> None:
        """Answer calls that come by a unix socket at a path."""
        listener = sockets.listen_unix(path)
        self._path = path
        await self.listen(listener, gate)

    async def close(self) -> None:
        """Let streams go, answer what is under way, and stop."""
        self._door.passes.stop()
        self._door.streams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._door.close()
        if self._path is not None:
            sockets.remove(self._path)


async def serve(door: Door, settings: Settings) -> Server:
    """Listen as the settings say; SettingsError where that would let strangers in."""
    http = settings.http
    tokens = Tokens(http.tokens_file) if http.tokens_file is not None else None
    host, port = sockets.split(http.listen) if http.listen else ("", 0)
    if host and tokens is None and not is_loopback(host):
        where = settings.origin("http.listen")
        raise SettingsError(
            (f"http.listen ({where}): {http.listen} is reached from other machines, so http.tokens_file must be set",),
            hint="docs/api.md says how to make tokens; 127.0.0.1:8510 is reached from this machine alone",
        )
    server = Server(door, Connections(most_connections()))
    try:
        await server.listen_unix(http.socket, Gate(door, None, None))
        listener = _tcp(settings, host, port) if host else None
        if listener is not None:
            await server.listen(listener, Gate(door, Hosts((host, *http.hosts)), tokens))
    except BaseException:
        await server.close()
        raise
    address = listener.getsockname() if listener is not None else None
    log.info("answering", socket=str(http.socket), **({"address": _shown(address)} if address else {}))
    return server


def _tcp(settings: Settings, host: str, port: int) -> socket.socket | None:
    """Listen at the port; one that nobody asked for may be taken by another daemon of this machine."""
    try:
        return sockets.listen_tcp(host, port)
    except CannotListen as error:
        if settings.origin("http.listen") != "default":
            raise
        hint = "commands use the socket; for HTTP give this daemon its own http.listen (SYNCD_HTTP_LISTEN=127.0.0.1:0)"
        log.warning(error.message, at=error.where, hint=hint)
        return None


def _shown(address: tuple[str, int]) -> str:
    host, port = address[0], address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
