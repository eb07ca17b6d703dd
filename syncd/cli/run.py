"""``syncd run``."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import click
from msgspec.structs import replace

from syncd import wiring
from syncd.cli.options import LOG, SOURCE, STORE, with_settings
from syncd.cli.running import run as run_to_end
from syncd.cli.stopping import stoppable
from syncd.core import keys
from syncd.core.errors import SyncdError
from syncd.embedded import server
from syncd.log import get_logger
from syncd.settings import Settings
from syncd.wiring import Parts

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
    """
    run_to_end(stoppable(_run(settings, embedded_port if embedded else None)))


async def _run(settings: Settings, embedded_port: int | None) -> None:
    async with AsyncExitStack() as stack:
        environment: Mapping[str, str] = os.environ
        address = None
        if embedded_port is not None:
            store = await server.start(settings.state_directory / "store.db", port=embedded_port)
            stack.push_async_callback(store.close)
            settings, environment, address = _without_credentials(settings), {}, store.address
            _say_how_to_look(settings, store.address)
        parts = await stack.enter_async_context(
            wiring.open_parts(settings, environment, address=address, stateful=True)
        )
        await _announce(parts)
        await (await stack.enter_async_context(parts.daemon())).run()


def _without_credentials(settings: Settings) -> Settings:
    """Leave out what is meant for a Consul: the embedded store knows neither tokens nor other datacenters."""
    return replace(settings, store=replace(settings.store, token_file=None, datacenter=None))


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
