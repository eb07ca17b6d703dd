"""``syncd watch``."""

import asyncio
import random
import sys
from typing import Final

import click
import msgspec

from syncd.cli.daemon_client import DaemonBusy, NoDaemon, connect
from syncd.cli.event_text import ToldEvent, event_lines
from syncd.cli.options import DAEMON, output_option, with_settings
from syncd.cli.running import run
from syncd.cli.sse import Frames
from syncd.core.documents import UNREADABLE
from syncd.core.timing import backoff
from syncd.settings import Settings

_EVENT: Final = msgspec.json.Decoder(ToldEvent)


@click.command
@click.argument("below", metavar="[PREFIX]", default="")
@with_settings(*DAEMON)
@output_option("table", "json")
def watch(settings: Settings, below: str, output: str) -> None:
    """Print each change as it comes.

    A change is what subscribers are told. Drift that is healed is none, because the value stays what it was; the
    daemon's log tells it.

    Asks the daemon of this machine; PREFIX leaves out keys that do not begin so. With --output json each line is an
    event as subscribers get it. A daemon that restarts is waited for, and what happened meanwhile comes then.
    """
    run(_watch(settings, below, output))


async def _watch(settings: Settings, prefix: str, output: str) -> None:
    frames, failures, known = Frames(), 0, False
    while True:
        try:
            async with connect(settings) as daemon, daemon.events(prefix, frames) as events:
                back = "the daemon is back; " if known else ""
                click.echo(f"{back}watching {prefix or 'every key'}; Ctrl-C ends it", err=True)
                known, failures = True, 0
                async for event in events:
                    _print(event.data, output)
            why = "the daemon has ended"
        except (NoDaemon, DaemonBusy) as error:
            if not known:
                raise
            why = error.message
        frames.cut()
        failures += 1
        if failures == 1:
            click.echo(f"{why}; waiting until it is back", err=True)
        await asyncio.sleep(backoff(failures, random.random()))  # noqa: S311  # jitter


def _print(data: bytes, output: str) -> None:
    if output == "json":
        click.echo(data)
        return
    try:
        event = _EVENT.decode(data)
    except UNREADABLE:
        click.echo("an event of another version of syncd; --output json shows it", err=True)
        return
    for line in event_lines(event, sys.stdout):
        click.echo(line)
