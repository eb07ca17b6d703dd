"""``syncd snapshot show`` and ``extract``: what is in a snapshot comes out of it."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from syncd.cli.names import complete_snapshot
from syncd.cli.options import output_option, with_settings
from syncd.cli.snapshot import PLACE
from syncd.core import keys
from syncd.core.errors import SnapshotError
from syncd.core.snapshots.records import Entry
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, changed, look


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@click.argument("key")
@with_settings(*PLACE)
def show(settings: Settings, file: str, key: str) -> None:
    """Print the value of one key in a snapshot, byte for byte, be it secret or not.

    KEY is the whole key, prefix included.
    """
    path = Folder(settings.snapshots.directory).find(file)
    kept = look(path)
    if kept.manifest is not None and reading.file_hash(path) != kept.manifest.sha256:
        raise changed(path)
    name = os.fsencode(key).decode(errors="surrogateescape")
    entry = reading.find(path, name, proved=kept.manifest is not None)
    if entry is None:
        raise SnapshotError(
            f"there is no key {key!r} in it", where=str(path), hint="KEY is the whole key; inspect --keys lists all"
        )
    click.echo(entry.value, nl=False)


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@with_settings(*(name for name in PLACE if name != "store.prefix"))
@click.option("--prefix", "below", default="", metavar="PREFIX", help="Only keys below this prefix.")
@click.option("--into", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the tree is written (yaml).")
@output_option("consul-export", "yaml")
def extract(settings: Settings, file: str, below: str, into: Path | None, output: str) -> None:
    """Bring keys out of a snapshot, their values as they are, secret or not.

    consul-export prints what "consul kv export" prints. yaml writes a tree, as syncd import does: keys without the
    prefix, no file is overwritten.
    """
    if (output == "yaml") != (into is not None):
        raise click.UsageError("--output yaml and --into FOLDER belong together")
    path = Folder(settings.snapshots.directory).find(file)
    front = keys.own_prefix(below.rstrip("/"))
    entries = reading.entries(path, front)
    if into is None:
        click.echo(_export(entries, path))
        return
    from syncd.cli.files import add_files  # noqa: PLC0415  # only trees need these two
    from syncd.core.mapping.writing import write_tree  # noqa: PLC0415

    own = keys.join(front.rstrip("/"), keys.RESERVED + "/")
    files = write_tree((entry.key[len(front) :], entry.value) for entry in entries if not entry.key.startswith(own))
    add_files(into, files)
    for name in sorted(files):
        click.echo(f"wrote {into / name}")


def _export(entries: Sequence[Entry], path: Path) -> str:
    told = [
        {"key": entry.key, "flags": entry.flags, "value": base64.b64encode(entry.value).decode()} for entry in entries
    ]
    text = json.dumps(told, indent="\t", ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SnapshotError(
            "a key's name is not UTF-8, which JSON cannot hold", where=str(path), hint="leave it out with --prefix"
        ) from None
    return text
