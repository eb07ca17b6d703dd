"""``syncd snapshot restore --key`` and ``--prefix``: single keys, and a patch for those that git names."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.drift_text import patch_lines
from syncd.cli.output import print_json
from syncd.cli.reading import read_from
from syncd.cli.running import run
from syncd.cli.snapshot_reading import verified
from syncd.cli.snapshot_text import changed_json, compared_lines
from syncd.core import keys, live
from syncd.core.errors import Conflict, Denied, SnapshotError
from syncd.core.keeping import Patch, make_patch, patchable
from syncd.core.snapshots.bringing import Bringing, Left, choose
from syncd.core.snapshots.comparing import Comparison
from syncd.core.snapshots.records import Entry
from syncd.core.text import count, printable
from syncd.git.source import Revision
from syncd.settings import Settings
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder
from syncd.wiring.parts import Parts, open_parts
from syncd.wiring.store import open_keys

_DECLINED: Final = 1
_FOR_GIT: Final = 3
_LOST: Final = 75
_RACE: Final = "somebody has written it since it was looked at"


def bring_back(
    settings: Settings, file: str, names: tuple[str, ...], below: str | None, *, yes: bool, output: str
) -> int:
    """Take keys back; what people read goes to standard error, a patch for git to standard output."""
    path = Folder(settings.snapshots.directory).find(file)
    entries = _chosen(path, settings, names, below)
    chosen, patch = run(_choose(settings, entries, below))
    for line in _announced(chosen):
        click.echo(line, err=True)
    if chosen.writes and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask on: say --yes")
        if not click.confirm(f"Write {count(len(chosen.writes), 'key')}?", err=True):
            click.echo("Nothing was written.", err=True)
            return _DECLINED
    lost = run(_write(settings, chosen))
    _tell(settings, chosen, patch, lost, output)
    refused = patch is not None or any(each.key in names for each in chosen.left)
    return _LOST if lost else _FOR_GIT if refused else 0


def _chosen(path: Path, settings: Settings, names: tuple[str, ...], below: str | None) -> list[Entry]:
    """Read the keys that are meant, from a file that is sound to its last byte."""
    verified(path, settings.store.prefix)
    if below is not None and not below.strip("/"):
        raise click.UsageError("--prefix names no prefix; a whole store comes back without it")
    wanted = {os.fsencode(name).decode(errors="surrogateescape") for name in names}
    front = keys.own_prefix(below.rstrip("/")) if below is not None else None
    found = [e for e in reading.entries(path) if e.key in wanted or (front is not None and e.key.startswith(front))]
    missing = sorted(wanted - {entry.key for entry in found})
    if missing or not found:
        told = f"there is no key {missing[0]!r} in it" if missing else f"there are no keys below {below!r} in it"
        raise SnapshotError(told, where=str(path), hint="names are whole; syncd snapshot inspect --keys lists all")
    return found


async def _choose(settings: Settings, entries: list[Entry], below: str | None) -> tuple[Bringing, Patch | None]:
    found = await _live(settings, entries, below)
    front = keys.own_prefix(settings.store.prefix)
    if not any(
        entry.key.startswith(front) and not keys.is_reserved(settings.store.prefix, entry.key) for entry in entries
    ):
        return choose(entries, found, {}, settings.store.prefix), None
    async with open_parts(settings, os.environ) as parts:
        tip = await read_from(parts.source, settings, None)
        chosen = choose(entries, found, tip.tree.desired.keys, settings.store.prefix)
        return chosen, await _patch(parts, chosen, tip) if chosen.git else None


async def _patch(parts: Parts, chosen: Bringing, tip: Revision) -> Patch:
    contents = await parts.source.contents(tip.commit.id, patchable(chosen.git))
    return make_patch(chosen.git, contents, tip.tree, parts.source.path)


async def _live(settings: Settings, entries: list[Entry], below: str | None) -> dict[str, live.Entry]:
    """Read what stands at the keys, by their full names; a key that is hidden is an error, never absent."""
    found: dict[str, live.Entry] = {}
    prefix = below.rstrip("/") if below is not None else ""
    async with open_keys(settings, os.environ, prefix) as store:
        if below is not None:
            if not await store.may_write():
                raise Denied(
                    "the token may not write every key below the prefix",
                    where=prefix,
                    hint="use one that may (snapshots.token_file), or name single keys; nothing was changed",
                )
            listed = (await store.listing()).entries
            found = {keys.join(prefix, key): entry for key, entry in listed.items()}
    async with open_keys(settings, os.environ, "") as store:
        for entry in entries:
            if below is None or not entry.key.startswith(keys.own_prefix(prefix)):
                stands = await store.get(entry.key)
                if stands is not None:
                    found[entry.key] = stands
    return found


async def _write(settings: Settings, chosen: Bringing) -> tuple[Left, ...]:
    """Write each key where it still stands at the index seen; return those that did not."""
    lost = []
    async with open_keys(settings, os.environ, "") as store:
        for entry, index in chosen.writes:
            try:
                await store.put_cas(entry.key, entry.value, entry.flags, index)
            except Conflict:
                lost.append(Left(entry.key, _RACE))
    return tuple(lost)


def _announced(chosen: Bringing) -> Iterator[str]:
    if chosen.changes or not chosen.git:
        yield from compared_lines(Comparison(chosen.changes, chosen.same), sys.stderr)
    yield from _left_lines(chosen.left)


def _left_lines(left: tuple[Left, ...]) -> Iterator[str]:
    for each in left:
        yield f"left: {printable(each.key)}: {each.why}"


def _tell(settings: Settings, chosen: Bringing, patch: Patch | None, lost: tuple[Left, ...], output: str) -> None:
    written = len(chosen.writes) - len(lost)
    if output == "json":
        gone = {each.key for each in lost}
        print_json(
            {
                "written": [changed_json(each) for each in chosen.changes if each.key not in gone],
                "same": chosen.same,
                "left": [msgspec.to_builtins(each) for each in (*chosen.left, *lost)],
                "git": [keys.join(settings.store.prefix, each.key) for each in chosen.git],
                "patch": patch.text.decode(errors="replace") if patch else "",
            }
        )
        return
    for line in _left_lines(lost):
        click.echo(line, err=True)
    click.echo(f"Wrote {count(written, 'key')}.", err=True)
    if patch is None:
        return
    click.echo(patch.text, nl=False)
    said = "git names 1 key" if len(chosen.git) == 1 else f"git names {len(chosen.git):,} keys"
    click.echo(f"{said} of these, and would undo it: git apply the patch on standard output, then commit.", err=True)
    for line in patch_lines(patch, settings.source.path, sys.stderr):
        click.echo(line, err=True)
