"""``syncd snapshot drill``."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json
from syncd.cli.running import run
from syncd.cli.snapshot import PLACE
from syncd.cli.snapshot_reading import verified
from syncd.cli.snapshot_text import taken_at
from syncd.core.errors import SnapshotError
from syncd.core.text import count, printable, some
from syncd.daemon.drill import Report, drill
from syncd.embedded import server
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.scratch import scratch_consul
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store

_FAILED: Final = 1


@click.command("drill")
@click.argument("file", required=False, metavar="[FILE]")
@with_settings(*PLACE)
@output_option("table", "json")
def drill_(settings: Settings, file: str | None, output: str) -> int:
    """Restore a snapshot, the newest if none is named, into a store of its own, and look at every key.

    That store is a consul from PATH in a temporary folder, on loopback, or the embedded store for its own snapshots. It
    is gone afterwards, and no other store is asked anything. Exits with 1 if a key is not what the snapshot says.
    """
    folder = Folder(settings.snapshots.directory)
    path = folder.find(file) if file else _newest(folder)
    kept, found = verified(path, settings.store.prefix)
    report = run(_drill(path, embedded=found.contents.embedded))
    if output == "json":
        told = msgspec.to_builtins(report)
        print_json({"file": str(path), "taken": int(kept.taken), "sound": report.found.sound, **told})
    else:
        for line in _lines(kept, report):
            click.echo(line)
    return 0 if report.found.sound else _FAILED


def _newest(folder: Folder) -> Path:
    kept = [each for each in folder.snapshots() if each.manifest is not None]
    if not kept:
        raise SnapshotError("there are no snapshots", where=str(folder.path), hint="take one: syncd snapshot take")
    return kept[-1].path


async def _drill(path: Path, *, embedded: bool) -> Report:
    async with (
        _scratch(embedded=embedded) as (address, demand),
        Store(resolve_endpoint({}, address=address), "") as store,
    ):
        return await drill(store, path, reading.entries(path), demand)


@asynccontextmanager
async def _scratch(*, embedded: bool) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Start what the snapshot is restored into, and name its address."""
    if not embedded:
        async with scratch_consul() as agent:
            yield agent.address, agent.demand
        return
    with tempfile.TemporaryDirectory(prefix="syncd-drill-") as folder:
        started = await server.start(Path(folder, "store.db"), port=0)
        try:
            yield started.address, lambda: None
        finally:
            await started.close()


def _lines(kept: Kept, report: Report) -> Iterator[str]:
    found = report.found
    yield f"{printable(kept.name)}, of {taken_at(kept)}, restored in {report.seconds:.1f} s into {report.store}"
    for what, names in (("missing", found.missing), ("different", found.different), ("not of it", found.foreign)):
        if names:
            yield f"{what}: {printable(some(names))}"
    yield f"{'passed' if found.sound else 'FAILED'}: {count(found.same, 'key')} the same"
