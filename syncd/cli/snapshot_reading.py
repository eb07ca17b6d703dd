"""``syncd snapshot verify``, ``inspect`` and ``diff``."""

import sys
from pathlib import Path

import click

from syncd.cli.names import complete_snapshot
from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json, print_table
from syncd.cli.snapshot import PLACE
from syncd.cli.snapshot_text import (
    changed_json,
    compared_lines,
    count_of_bytes,
    counts,
    inspected_lines,
    kept_json,
)
from syncd.core.digest import shown_hash
from syncd.core.errors import SnapshotError
from syncd.core.snapshots.comparing import compare
from syncd.core.snapshots.records import Entry
from syncd.core.text import count, printable
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, Kept, changed, look, none_there
from syncd.snapshots.reading import Verified


@click.command
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete_snapshot)
@with_settings(*PLACE)
@output_option("table", "json")
def verify(settings: Settings, files: tuple[str, ...], output: str) -> int:
    """Read every byte of snapshots, and say whether they are sound.

    Without FILE, all that are kept. Exits with 1 if any is damaged, or none is there.
    """
    folder = Folder(settings.snapshots.directory)
    paths = [folder.find(name) for name in files] or [each.path for each in folder.snapshots()]
    if not paths:
        raise none_there(folder)
    told = [(path, *_verdict(path, settings.store.prefix)) for path in paths]
    if output == "json":
        print_json([{"file": str(path), "sound": not fault, "fault": fault} for path, fault, _ in told])
    else:
        for path, fault, found in told:
            click.echo(_verdict_line(path, fault, found))
    return int(any(fault for _, fault, _ in told))


def _verdict(path: Path, prefix: str) -> tuple[str, Verified | None]:
    try:
        return "", verified(path, prefix)[1]
    except SnapshotError as error:
        return error.message, None


def _verdict_line(path: Path, fault: str, found: Verified | None) -> str:
    if found is None:
        return f"damaged  {printable(path.name)}: {printable(fault)}"
    return f"sound    {printable(path.name)}  {count_of_bytes(found.size)}, {count(found.contents.keys, 'key')}"


@click.command
@click.argument("file", shell_complete=complete_snapshot)
@with_settings(*PLACE)
@click.option("--keys", "with_keys", is_flag=True, help="List every key too, its value by size and hash.")
@output_option("table", "json")
def inspect(settings: Settings, file: str, with_keys: bool, output: str) -> None:
    """Say what a snapshot holds: records by kind, and what syncd had applied. Every byte is read and checked."""
    path = Folder(settings.snapshots.directory).find(file)
    kept, found = verified(path, settings.store.prefix)
    entries = sorted(reading.entries(path), key=lambda entry: entry.key) if with_keys else []
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
@click.argument("old", metavar="A", shell_complete=complete_snapshot)
@click.argument("new", metavar="B", shell_complete=complete_snapshot)
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


def verified(path: Path, prefix: str) -> tuple[Kept, Verified]:
    """Read a file to its end; it must also be what was taken, if syncd took it."""
    kept, found = look(path), reading.verify(path, prefix)
    if kept.manifest is not None and kept.manifest.sha256 != found.sha256:
        raise changed(path)
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
