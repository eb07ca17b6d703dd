"""``syncd run``."""

import asyncio
import faulthandler
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import click
from msgspec import Struct
from msgspec.structs import replace

from syncd.cli.options import LOG, SOURCE, STORE, reader, with_settings
from syncd.cli.reloading import run_reloading
from syncd.cli.running import run as run_to_end
from syncd.cli.stopping import has_terminal, stoppable
from syncd.core import keys
from syncd.core.errors import SyncdError
from syncd.daemon.service import Service
from syncd.embedded import server
from syncd.log import configure, get_logger
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

log = get_logger(__name__)

_DESCRIBE_SECONDS: Final = 3.0
"""How long the store may take to say what it is; the daemon itself goes on trying."""


@click.command
@with_settings(*SOURCE, "source.worktree", *STORE, "state_directory", *LOG)
@click.option("--embedded", is_flag=True, help="Start the embedded store and sync into it, whatever CONSUL_* says.")
@click.option(
    "--embedded-port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="Where it listens."
)
def run(settings: Settings, embedded: bool, embedded_port: int) -> None:
    """Follow the branch and keep the store equal to it, until SIGTERM or Ctrl-C.

    Nothing is changed while the tip is invalid, a guard refuses the plan or another node leads; the log says so.
    SIGHUP reads the settings again, except on a terminal.
    """
    asked = asyncio.Event()
    # On a terminal SIGHUP says that it was closed.
    on_reload = None if has_terminal() else asked.set
    running = _run(settings, asked, reader(), embedded_port if embedded else None)
    run_to_end(stoppable(running, reload=on_reload))


async def _run(
    settings: Settings, asked: asyncio.Event, read: Callable[[], Settings], embedded_port: int | None
) -> None:
    faulthandler.enable()  # the watchdog's SIGABRT then leaves in the log where the process was stuck
    gc.freeze()  # what was imported stays: collections need not look at it again and again
    service = Service(os.environ, clock=time.monotonic)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(service.watched())
        place = Place(os.environ)
        if embedded_port is not None:
            store = await server.start(settings.state_directory / "store.db", port=embedded_port)
            stack.push_async_callback(store.close)
            _say_how_to_look(settings, store.address)
            place = Place({}, store.address, settings.state_directory)
        await run_reloading(settings, asked=asked, read=read, opened=place.opened, service=service)


class Place(Struct, frozen=True):
    """Where the store is found: as the environment says or, with ``address``, the embedded one of this process."""

    environment: Mapping[str, str]
    address: str | None = None
    state_directory: Path | None = None

    @asynccontextmanager
    async def opened(self, settings: Settings) -> AsyncIterator[Parts]:
        """Open what the daemon stands on."""
        configure(settings.log.format, settings.log.level)
        settings = self._fitted(settings)
        async with open_parts(settings, self.environment, address=self.address, stateful=True) as parts:
            await _announce(parts)
            yield parts

    def _fitted(self, settings: Settings) -> Settings:
        if self.state_directory is None:
            return settings
        http = settings.http
        if settings.state_directory != self.state_directory:
            log.warning("the embedded store stays where it is until a restart", state_directory=self.state_directory)
            if http.socket.parent == settings.state_directory:
                http = replace(http, socket=self.state_directory / http.socket.name)
        return replace(_without_credentials(settings), state_directory=self.state_directory, http=http)


def _without_credentials(settings: Settings) -> Settings:
    """Leave out what is meant for a Consul: the embedded store knows neither tokens nor other datacenters."""
    store = replace(settings.store, token_file=None, datacenter=None)
    return replace(settings, store=store, snapshots=replace(settings.snapshots, token_file=None))


def _say_how_to_look(settings: Settings, address: str) -> None:
    folder = keys.own_prefix(settings.store.prefix)
    log.info("embedded store is listening", address=address, look=f"curl -s '{address}/v1/kv/{folder}?keys'")


async def _announce(parts: Parts) -> None:
    source = parts.source
    log.info(
        "following",
        branch=source.branch,
        repository=str(source.repository),
        path=source.path,
        store=await _store(parts),
        prefix=parts.settings.store.prefix,
    )


async def _store(parts: Parts) -> str:
    try:
        async with asyncio.timeout(_DESCRIBE_SECONDS):
            return await parts.store.describe()
    except (SyncdError, TimeoutError):
        return f"{parts.address} (does not answer yet)"
