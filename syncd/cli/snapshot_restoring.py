"""``syncd snapshot restore`` of a whole store."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.names import complete_snapshot
from syncd.cli.options import SOURCE, output_option, with_settings
from syncd.cli.orders import person
from syncd.cli.output import print_json
from syncd.cli.plan import Drawn, draw_up
from syncd.cli.progress import progress_bar
from syncd.cli.reading import read_from
from syncd.cli.running import run
from syncd.cli.snapshot_bringing import bring_back
from syncd.cli.snapshot_reading import verified
from syncd.cli.snapshot_text import compared_lines, counts, taken_at
from syncd.core import advice, keys
from syncd.core.errors import SyncdError
from syncd.core.snapshots.comparing import Comparison, compare
from syncd.core.snapshots.records import Entry
from syncd.core.text import printable
from syncd.daemon.restore import Done, Seen
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.reading import Verified
from syncd.wiring.parts import open_parts
from syncd.wiring.snapshots import open_restore

_DECLINED: Final = 1
_SETTINGS: Final = (
    *(name for name in SOURCE if name != "store.prefix"),
    "store.address",
    "store.datacenter",
    "snapshots.token_file",
    "snapshots.directory",
    "state_directory",
)


class _File(msgspec.Struct, frozen=True):
    """The snapshot, and what its keys are."""

    kept: Kept
    found: Verified
    entries: list[Entry]


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@with_settings(*_SETTINGS)
@click.option("--key", "names", multiple=True, metavar="KEY", help="Take back this key alone (may be repeated).")
@click.option("--prefix", "below", metavar="PREFIX", help="Take back the keys below this prefix alone.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--wipe-cluster", is_flag=True, help="Restore though ACLs, nodes or sessions of the cluster would be lost."
)
@output_option("table", "json")
def restore(
    settings: Settings,
    file: str,
    names: tuple[str, ...],
    below: str | None,
    yes: bool,
    wipe_cluster: bool,
    output: str,
) -> int:
    """Put a snapshot back: the whole store becomes what it was, other prefixes, ACLs, sessions and catalog too.

    Shows what will change, asks, takes a snapshot of what is there, and leaves syncd paused: git would undo it.

    With --key or --prefix only those keys are written, each if nobody else has written it since it was looked at. What
    git names is not: for that a patch is printed, for git apply at the repository's root.
    """
    if names or below is not None:
        if wipe_cluster:
            raise click.UsageError("--wipe-cluster has no place beside --key and --prefix")
        return bring_back(settings, file, names, below, yes=yes, output=output)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: say --yes")
    path = Folder(settings.snapshots.directory).find(file)
    source = _File(*verified(path, settings.store.prefix), reading.entries(path))
    seen = run(_look(settings, source, wipe_cluster))
    found = _compare(settings, seen.entries, source.entries)
    if output == "table":
        for line in _announced(source, seen, found):
            click.echo(line)
    if not yes and not click.confirm("Replace the whole store by this snapshot?", err=True):
        click.echo("Nothing was changed.", err=True)
        return _DECLINED
    done = run(_restore(settings, source, wipe_cluster or seen.empty))
    drawn, unknown = run(_git(settings))
    if output == "json":
        print_json(
            {**_told(done), "changed": counts(found), "git": drawn.saved if drawn else None, "git_error": unknown}
        )
    else:
        for line in _restored(path, done, drawn, unknown):
            click.echo(line)
    return 0


async def _look(settings: Settings, source: _File, wipe: bool) -> Seen:
    """See what is there; a refusal comes before anybody is asked."""
    with progress_bar("reading the store (bytes)") as report:
        async with open_restore(settings, os.environ) as restoring:
            seen = await restoring.look(lambda came: report(came, max(came, source.kept.size)))
            await restoring.demand(source.kept.path, source.found.contents, seen, wipe=wipe or seen.empty)
            return seen


async def _restore(settings: Settings, source: _File, wipe: bool) -> Done:
    with progress_bar("taking a snapshot of what is there (bytes)") as report:
        async with open_restore(settings, os.environ) as restoring:
            return await restoring.restore(
                source.kept.path,
                source.found,
                person(),
                wipe=wipe,
                now=time.time(),
                progress=lambda came: report(came, max(came, source.kept.size)),
            )


async def _git(settings: Settings) -> tuple[Drawn | None, str]:
    """Draw up what an apply would do now; where that cannot be told, say why."""
    try:
        async with open_parts(settings, os.environ) as parts:
            return await draw_up(parts, await read_from(parts.source, settings, None)), ""
    except SyncdError as error:
        return None, error.message


def _compare(settings: Settings, live: list[Entry], then: list[Entry]) -> Comparison:
    """Compare what is there with what comes back; syncd's own keys are its own business."""
    prefix = settings.store.prefix
    return compare(*([each for each in side if not keys.is_reserved(prefix, each.key)] for side in (live, then)))


def _announced(source: _File, seen: Seen, found: Comparison) -> Iterator[str]:
    yield f"{printable(source.kept.name)}: of {taken_at(source.kept)}, index {source.found.contents.index}"
    yield from compared_lines(found, sys.stdout)
    then, now = source.found.contents.kinds, seen.contents.kinds
    for kind in sorted(then.keys() | now.keys()):
        was, comes = (side[kind].count if kind in side else 0 for side in (now, then))
        if was != comes and kind != "KVS":
            yield f"{kind}: {was:,} records now, {comes:,} then."


def _restored(path: Path, done: Done, drawn: Drawn | None, unknown: str) -> Iterator[str]:
    yield f"Restored {printable(path.name)}. What stood before: {printable(str(done.before))}"
    if done.doubt:
        yield f"The pause was restored with it, but could not be looked at: {printable(done.doubt)}"
    yield "syncd is paused, under a new epoch: subscribers are told everything anew."
    if drawn is None:
        yield f"What git thinks of it is not known: {printable(unknown)}. To see it: syncd plan"
        return
    sums = ", ".join(f"{number:,} to {operation}" for operation, number in drawn.plan.counts.items())
    yield f"git's commit {drawn.plan.commit.short} would change it again: {sums or 'nothing'}."
    for refusal in drawn.plan.refusals:
        yield f"It would be refused: {printable(refusal.message)}"
    yield f"To look: {advice.plan(drawn.place)}. To keep what is there: commit it. Then: {advice.resume(drawn.place)}"


def _told(done: Done) -> dict[str, object]:
    return {"before": str(done.before), "epoch": done.epoch, "paused": True, "doubt": done.doubt}
