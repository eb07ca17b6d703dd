"""``syncd snapshot drill``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.names import complete_snapshot
from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json
from syncd.cli.running import run
from syncd.cli.snapshot import PLACE
from syncd.cli.snapshot_reading import verified
from syncd.cli.snapshot_text import taken_at
from syncd.core.text import count, printable, some
from syncd.daemon.drill import Report, rehearse
from syncd.settings import Settings
from syncd.snapshots.folder import Folder, Kept, none_there

_FAILED: Final = 1


@click.command("drill")
@click.argument("file", required=False, metavar="[FILE]", shell_complete=complete_snapshot)
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
    report = run(rehearse(path, embedded=found.contents.embedded))
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
        raise none_there(folder)
    return kept[-1].path


def _lines(kept: Kept, report: Report) -> Iterator[str]:
    found = report.found
    yield f"{printable(kept.name)}, of {taken_at(kept)}, restored in {report.seconds:.1f} s into {report.store}"
    for what, names in (("missing", found.missing), ("different", found.different), ("not of it", found.foreign)):
        if names:
            yield f"{what}: {printable(some(names))}"
    yield f"{'passed' if found.sound else 'FAILED'}: {count(found.same, 'key')} the same"
