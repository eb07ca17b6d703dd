"""``syncd snapshot take``, ``list``, ``pin`` and ``unpin``."""

import os
import time
from typing import TYPE_CHECKING

import click

from syncd.cli.names import complete_snapshot
from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json, print_table
from syncd.cli.progress import progress_bar
from syncd.cli.running import run
from syncd.cli.snapshot import PLACE
from syncd.cli.snapshot_text import count_of_bytes, kept_json, taken_json, taken_lines
from syncd.settings import Settings
from syncd.snapshots.folder import Folder, Kept

if TYPE_CHECKING:
    from syncd.daemon.snapshot import Outcome


@click.command
@with_settings("store.address", "store.datacenter", "snapshots.token_file", *PLACE)
@output_option("table", "json")
def take(settings: Settings, output: str) -> None:
    """Save the whole store into a file, and verify it.

    All of it: other prefixes, ACLs, sessions and the catalog too. Afterwards old snapshots are removed, as
    snapshots.keep_* say. Consul asks for a management token (snapshots.token_file).
    """
    outcome = run(_take(settings))
    if output == "json":
        print_json(taken_json(outcome.path, outcome.manifest, outcome.removed, outcome.damaged))
    else:
        for line in taken_lines(outcome.path, outcome.manifest, outcome.removed):
            click.echo(line)


async def _take(settings: Settings) -> "Outcome":
    from syncd.wiring.snapshots import open_snapshots  # noqa: PLC0415  # takes long, the others need no store

    folder = Folder(settings.snapshots.directory)
    # A store streams its snapshot without saying how long that is: it will be like the last one.
    likely = max((each.size for each in folder.snapshots() if each.manifest), default=0)
    with progress_bar("taking a snapshot (bytes)") as report:
        async with open_snapshots(settings, os.environ) as snapshots:
            return await snapshots.take(time.time(), lambda came: report(came, max(came, likely)))


@click.command("list")
@with_settings(*PLACE)
@output_option("table", "json")
def list_(settings: Settings, output: str) -> None:
    """List the snapshots that are kept, the oldest first.

    Their sizes are compared with what was verified when they were taken; syncd snapshot verify reads them.
    """
    found = Folder(settings.snapshots.directory).snapshots()
    if output == "json":
        print_json([kept_json(each) for each in found])
    elif found:
        print_table(("SNAPSHOT", "TAKEN", "INDEX", "COMMIT", "KEYS", "SIZE", "NOTE"), [_row(each) for each in found])
    else:
        click.echo(f"There are no snapshots in {settings.snapshots.directory}. Take one: syncd snapshot take")


def _row(each: Kept) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.taken))
    size = count_of_bytes(each.size)
    notes = [each.fault and f"damaged: {each.fault}", "pinned" if each.pinned else ""]
    if each.manifest is None:
        notes.insert(1, "" if each.fault else "foreign")
        return each.name, when, "", "", "", size, ", ".join(filter(None, notes))
    contents = each.manifest.contents
    commit = (contents.commit or "")[:7]
    return each.name, when, str(contents.index), commit, f"{contents.keys:,}", size, ", ".join(filter(None, notes))


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@with_settings(*PLACE)
def pin(settings: Settings, file: str) -> None:
    """Keep a snapshot whatever its age."""
    folder = Folder(settings.snapshots.directory)
    path = folder.find(file)
    folder.pin(path)
    click.echo(f"{path.name} stays until: syncd snapshot unpin {path.name}")


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@with_settings(*PLACE)
def unpin(settings: Settings, file: str) -> None:
    """Let a pinned snapshot go when its time has come."""
    folder = Folder(settings.snapshots.directory)
    path = folder.find(file)
    folder.unpin(path)
    click.echo(f"{path.name} goes when its time has come")
