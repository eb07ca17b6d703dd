"""``syncd pause`` and ``syncd resume``."""

import asyncio
import os
import time
from typing import Final

import click
import msgspec

from syncd.cli.daemon_client import DaemonError, NoDaemon, connect
from syncd.cli.options import DAEMON, STORE, output_option, with_settings
from syncd.cli.orders import orders, person
from syncd.cli.output import print_json
from syncd.cli.running import run
from syncd.core.control import Control, Pause
from syncd.daemon import orders as left
from syncd.daemon.lease import held_by_other
from syncd.settings import Settings
from syncd.wiring.store import open_store

_LOOKS: Final = 20
_POLL_SECONDS: Final = 0.25


class Ordered(msgspec.Struct, frozen=True):
    """What stands now. ``changed``: it did not stand before; ``holder`` leads, "" where nobody does.

    ``seen`` tells whether the daemon of this machine has taken note of it; None where none answers.
    """

    paused: bool
    changed: bool
    pause: Pause | None
    holder: str
    seen: bool | None


@click.command
@with_settings(*DAEMON, *STORE)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at the status.")
@output_option("table", "json")
def pause(settings: Settings, reason: str, output: str) -> None:
    """Have nothing written until it is lifted, by whichever daemon leads, and by nobody's apply.

    The order stands in the store: no daemon need run. What is being applied is finished first; changes are still seen
    and told.
    """
    ordered = run(_order(settings, pausing=True, reason=reason))
    if output == "json":
        print_json(ordered)
        return
    assert ordered.pause is not None
    standing = f"Paused by {ordered.pause.author}" + (f": {ordered.pause.reason}" if ordered.pause.reason else "")
    click.echo(f"{standing}." if ordered.changed else f"Already {standing[:1].lower()}{standing[1:]}.")
    click.echo(_followed(ordered, "stops after what it is applying"))


@click.command
@with_settings(*DAEMON, *STORE)
@output_option("table", "json")
def resume(settings: Settings, output: str) -> None:
    """Lift a pause, whoever gave it."""
    ordered = run(_order(settings, pausing=False))
    if output == "json":
        print_json(ordered)
        return
    click.echo("The pause is lifted." if ordered.changed else "Nothing was paused.")
    click.echo(_followed(ordered, "goes on"))


def _followed(ordered: Ordered, does: str) -> str:
    if ordered.seen:
        return "The daemon of this machine has seen it" + (f"; {ordered.holder} leads." if ordered.holder else ".")
    if ordered.seen is False:
        return "The daemon of this machine has not seen it yet: syncd status"
    if ordered.holder:
        return f"{ordered.holder} leads and {does}."
    return "No daemon leads at the moment."


async def _order(settings: Settings, *, pausing: bool, reason: str = "") -> Ordered:
    async with open_store(settings, os.environ) as store:
        before = (await orders(store)).pause
        standing = await (left.pause(store, person(), reason, time.time()) if pausing else left.resume(store))
        holder = await held_by_other(store) or ""
    changed = (before is None) == pausing
    return Ordered(standing.pause is not None, changed, standing.pause, holder, await _seen(settings, standing))


async def _seen(settings: Settings, standing: Control) -> bool | None:
    """Wait a moment until the daemon of this machine has taken note; None where none answers."""
    author = standing.pause.author if standing.pause else ""
    try:
        async with connect(settings) as daemon:
            for _ in range(_LOOKS):
                if (await daemon.status()).orders.paused_by == author:
                    return True
                await asyncio.sleep(_POLL_SECONDS)
            return False
    except (NoDaemon, DaemonError):
        return None
