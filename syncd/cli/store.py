"""``syncd store``."""

import asyncio
from pathlib import Path

import click

from syncd.cli.options import LOG, with_settings
from syncd.cli.running import run
from syncd.cli.stopping import stoppable
from syncd.embedded import server
from syncd.log import get_logger
from syncd.settings import Settings

log = get_logger(__name__)


@click.group
def store() -> None:
    """Run the embedded store, which speaks Consul's HTTP API."""


@store.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens; it has no access control.")
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="0 takes any free one.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The database; by default that of: syncd run --embedded.",
)
@with_settings("state_directory", *LOG)
def serve(settings: Settings, host: str, port: int, data: Path | None) -> None:
    """Serve the embedded store alone, until SIGTERM or Ctrl-C."""
    run(stoppable(_serve(host, port, data or settings.state_directory / "store.db")))


async def _serve(host: str, port: int, data: Path) -> None:
    serving = await server.start(data, host, port)
    try:
        log.info("embedded store is listening", address=serving.address, data=str(data))
        await asyncio.get_running_loop().create_future()
    finally:
        await serving.close()
