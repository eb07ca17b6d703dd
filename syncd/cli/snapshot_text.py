"""Snapshots in words, and for machines."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

import msgspec

from syncd.cli.output import json_value, paint
from syncd.cli.plan_text import change_lines
from syncd.core.saved import SavedChange, SavedValue, saved_value
from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.comparing import Changed, Comparison, Side
from syncd.core.snapshots.manifest import Manifest
from syncd.core.text import count, printable
from syncd.snapshots.folder import Kept

_DONE: Final = {"create": "created", "update": "updated", "delete": "deleted"}
_ACLS: Final = {"ACLToken": "token", "ACLPolicy": "policy", "ACLRole": "role", "ACLAuthMethod": "auth method"}
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB")


def count_of_bytes(size: float) -> str:
    """Write a size as people say it."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:,.1f} {_UNITS[unit]}" if unit else f"{size:,} {_UNITS[0]}"


def taken_at(kept: Kept) -> str:
    """Write when a snapshot was taken."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept.taken))


def taken_lines(path: Path, manifest: Manifest, removed: Sequence[str]) -> Iterator[str]:
    """Write that a snapshot was taken."""
    contents = manifest.contents
    yield f"{path}: verified, {count_of_bytes(manifest.size)}, {count(contents.keys, 'key')}, index {contents.index}"
    if removed:
        yield f"removed {', '.join(removed)}"


def taken_json(path: Path, manifest: Manifest, removed: Sequence[str], damaged: Sequence[str]) -> dict[str, object]:
    """Describe a snapshot that was taken for machines."""
    told: dict[str, object] = msgspec.to_builtins(manifest)
    return {"file": str(path), "manifest": told, "removed": removed, "damaged": damaged}


def inspected_lines(path: Path, contents: Contents, kept: Kept, stream: TextIO) -> Iterator[str]:
    """Write what a snapshot holds."""
    yield paint(printable(path.name), stream, bold=True)
    for name, text in _facts(contents, kept):
        yield f"  {paint(f'{name:<10}', stream, fg='cyan')} {printable(text)}"


def _facts(contents: Contents, kept: Kept) -> Iterator[tuple[str, str]]:
    yield "sound", "every byte; it is what was taken" if kept.manifest else "every byte; syncd has no manifest of it"
    if kept.manifest:
        yield "taken", taken_at(kept)
    yield "size", f"{count_of_bytes(kept.size)}; the state in it {count_of_bytes(contents.state_bytes)}"
    if contents.embedded:
        yield "store", "syncd's embedded store; no Consul takes it. extract and consul kv import bring its keys to one"
    yield "index", f"{contents.index} (term {contents.term})"
    if contents.commit:
        begun = f", while {contents.applying[:7]} was being applied" if contents.applying else ""
        yield "commit", contents.commit + begun
    if contents.datacenter:
        yield "datacenter", contents.datacenter
    yield "holds", ", ".join(_holdings(contents))
    if contents.unknown:
        kinds = ", ".join(map(str, contents.unknown))
        yield "unknown", f"kinds {kinds} are of a newer Consul or of Consul Enterprise; they are counted, no more"


def _holdings(contents: Contents) -> Iterator[str]:
    yield count(contents.keys, "key")
    yield count(contents.nodes, "node")
    yield count(contents.services, "service")
    yield count(contents.checks, "check")
    sessions = contents.kinds.get("Session")
    yield count(sessions.count if sessions else 0, "session")
    acls = ((contents.kinds[name].count, noun) for name, noun in _ACLS.items() if name in contents.kinds)
    yield from (f"{number:,} ACL {_plural(noun, number)}" for number, noun in acls)


def _plural(noun: str, number: int) -> str:
    if number == 1:
        return noun
    return noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"


def kept_json(kept: Kept) -> dict[str, object]:
    """Describe a file for machines."""
    return {
        "file": str(kept.path),
        "size": kept.size,
        "taken": int(kept.taken),
        "pinned": kept.pinned,
        "foreign": kept.manifest is None,
        "fault": kept.fault,
        "manifest": msgspec.to_builtins(kept.manifest),
    }


def compared_lines(found: Comparison, stream: TextIO) -> Iterator[str]:
    """Write what differs, as a plan does; a value that was not asked for by its size and hash."""
    for change in found.changes:
        # A key in a snapshot has no place in git; in its stead stands what of the key is no value.
        told = SavedChange(change.operation, change.key, 0, _value(change.old), _value(change.new), at=_flags(change))
        yield from change_lines(told, stream)
    sums = [f"{number:,} {_DONE[name]}" for name, number in counts(found).items() if number]
    yield f"Compared: {', '.join([*sums, f'{found.same:,} the same'])}."


def counts(found: Comparison) -> dict[str, int]:
    """Count the changes by operation."""
    return {name: sum(change.operation == name for change in found.changes) for name in _DONE}


def changed_json(change: Changed) -> dict[str, object]:
    """Describe a change for machines."""
    return {
        "key": printable(change.key),
        "operation": change.operation,
        "old": _side_json(change.old),
        "new": _side_json(change.new),
    }


def _value(side: Side | None) -> SavedValue | None:
    if side is None:
        return None
    if side.value is None:
        return SavedValue(hash=f"{count(side.size, 'byte')} {side.shown_hash}")
    return saved_value(side.value, secret=False)


def _flags(change: Changed) -> str | None:
    if change.old and change.new and change.old.flags != change.new.flags:
        return f"flags {change.old.flags} → {change.new.flags}"
    return None


def _side_json(side: Side | None) -> dict[str, object] | None:
    if side is None:
        return None
    told: dict[str, object] = {"size": side.size, "flags": side.flags, "sha256": side.hash.hex()}
    return told if side.value is None else {**told, "value": json_value(side.value)}
