"""``syncd snapshot verify``, ``inspect``, ``show``, ``extract`` and ``diff``."""

import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from syncd.cli.files import add_files
from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json, print_table
from syncd.cli.snapshot_text import (
    changed_json,
    compared_lines,
    count_of_bytes,
    counts,
    inspected_lines,
    kept_json,
)
from syncd.core import keys
from syncd.core.digest import shown_hash
from syncd.core.errors import Damaged, SnapshotError
from syncd.core.snapshots.comparing import compare
from syncd.core.snapshots.records import Entry
from syncd.core.text import count, printable
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, Kept, look
from syncd.snapshots.keeping import intact
from syncd.snapshots.reading import Verified

PLACE: Final = ("source.repository", "store.prefix", "state_directory", "snapshots.directory")
_NOT_AS_TAKEN: Final = "somebody has changed or replaced it; syncd snapshot verify finds the sound ones"


@click.command
@click.argument("files", nargs=-1, metavar="[FILE]...")
@with_settings(*PLACE)
@output_option("table", "json")
def verify(settings: Settings, files: tuple[str, ...], output: str) -> int:
    """Read every byte of snapshots, and say whether they are sound.

    Without FILE, all that are kept. Exits with 1 if any is damaged.
    """
    folder = Folder(settings.snapshots.directory)
    paths = [folder.find(name) for name in files] or [each.path for each in folder.snapshots()]
    told = [(path, *_verdict(path, settings.store.prefix)) for path in paths]
    if output == "json":
        print_json([{"file": str(path), "sound": not fault, "fault": fault} for path, fault, _ in told])
    else:
        for path, fault, found in told:
            click.echo(_verdict_line(path, fault, found))
    return int(any(fault for _, fault, _ in told))


def _verdict(path: Path, prefix: str) -> tuple[str, Verified | None]:
    try:
        return "", _verified(path, prefix)[1]
    except SnapshotError as error:
        return error.message, None


def _verdict_line(path: Path, fault: str, found: Verified | None) -> str:
    if found is None:
        return f"damaged  {printable(path.name)}: {printable(fault)}"
    return f"sound    {printable(path.name)}  {count_of_bytes(found.size)}, {count(found.contents.keys, 'key')}"


@click.command
@click.argument("file")
@with_settings(*PLACE)
@click.option("--keys", "with_keys", is_flag=True, help="List every key too, its value by size and hash.")
@output_option("table", "json")
def inspect(settings: Settings, file: str, with_keys: bool, output: str) -> None:
    """Say what a snapshot holds: records by kind, and what syncd had applied. Every byte is read and checked."""
    path = Folder(settings.snapshots.directory).find(file)
    kept, found = _verified(path, settings.store.prefix)
    entries = reading.entries(path) if with_keys else []
    if output == "json":
        listed = {"keys": [_entry_json(entry) for entry in entries]} if with_keys else {}
        print_json({**kept_json(kept), "sha256": found.sha256, "contents": found.contents, **listed})
        return
    for line in inspected_lines(path, found.contents, kept, sys.stdout):
        click.echo(line)
    kinds = found.contents.kinds.items()
    click.echo()
    print_table(
        ("KIND", "RECORDS", "SIZE"), [(name, f"{kind.count:,}", count_of_bytes(kind.bytes)) for name, kind in kinds]
    )
    if with_keys:
        click.echo()
        print_table(("KEY", "BYTES", "FLAGS", "INDEX", "VALUE"), [_entry_row(entry) for entry in entries])


@click.command
@click.argument("file")
@click.argument("key")
@with_settings(*PLACE)
def show(settings: Settings, file: str, key: str) -> None:
    """Print the value of one key in a snapshot, byte for byte, be it secret or not.

    KEY is the whole key, prefix included.
    """
    path = Folder(settings.snapshots.directory).find(file)
    kept = _look(path)
    if kept.manifest is not None and not intact(kept):
        raise Damaged("its bytes are not those that were taken", where=str(path), hint=_NOT_AS_TAKEN)
    name = os.fsencode(key).decode(errors="surrogateescape")
    entry = reading.find(path, name, proved=kept.manifest is not None)
    if entry is None:
        raise SnapshotError(
            f"there is no key {key!r} in it", where=str(path), hint="KEY is the whole key; inspect --keys lists all"
        )
    click.echo(entry.value, nl=False)


@click.command
@click.argument("file")
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
    from syncd.core.mapping.writing import write_tree  # noqa: PLC0415  # only trees need YAML

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


@click.command
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@with_settings(*PLACE)
@click.option("--values", is_flag=True, help="Show values, be they secret or not, in place of sizes and hashes.")
@output_option("table", "json")
def diff(settings: Settings, old: str, new: str, values: bool, output: str) -> None:
    """Compare the keys of two snapshots: what was created, updated and deleted from A to B."""
    folder = Folder(settings.snapshots.directory)
    found = compare(*(reading.entries(folder.find(name)) for name in (old, new)), values=values)
    if output == "json":
        print_json({"changes": [changed_json(each) for each in found.changes], "same": found.same, **counts(found)})
        return
    for line in compared_lines(found, sys.stdout):
        click.echo(line)


def _look(path: Path) -> Kept:
    """See what a file is said to be; an error where it is plainly not that any more."""
    try:
        kept = look(path)
    except OSError as error:
        raise SnapshotError(f"the snapshot cannot be read: {error.strerror}", where=str(path)) from None
    if kept.fault:
        raise Damaged(kept.fault, where=str(path), hint=_NOT_AS_TAKEN)
    return kept


def _verified(path: Path, prefix: str) -> tuple[Kept, Verified]:
    """Read a file to its end; it must also be what was taken, if syncd took it."""
    kept, found = _look(path), reading.verify(path, prefix)
    if kept.manifest is not None and kept.manifest.sha256 != found.sha256:
        raise Damaged("its bytes are not those that were taken", where=str(path), hint=_NOT_AS_TAKEN)
    return kept, found


def _entry_row(entry: Entry) -> tuple[str, ...]:
    return entry.key, f"{len(entry.value):,}", str(entry.flags), str(entry.modify_index), shown_hash(entry.value)


def _entry_json(entry: Entry) -> dict[str, object]:
    return {
        "key": printable(entry.key),
        "size": len(entry.value),
        "flags": entry.flags,
        "create_index": entry.create_index,
        "modify_index": entry.modify_index,
        "session": entry.session,
        "hash": shown_hash(entry.value),
    }
