"""An event for people, like a plan."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Final, TextIO

import msgspec

from syncd.cli.output import paint
from syncd.cli.plan_text import change_lines
from syncd.core.cloudevent import TYPES
from syncd.core.desired import short
from syncd.core.event import ToldRevision
from syncd.core.saved import SavedChange, SavedValue
from syncd.core.text import count, printable

MOST_KEYS: Final = 200
"""On a terminal."""
_HASH: Final = len("sha256:") + 12
"""So much of a hash is shown, as everywhere."""
_FOREIGN: Final = "changed behind git's back"
_RESET: Final = "everything anew"


class ToldChange(msgspec.Struct, frozen=True):
    """One key's change, as ``core/cloudevent.py`` writes it."""

    key: str
    operation: str
    old: str | None = None
    old_base64: str | None = None
    old_hash: str = ""
    new: str | None = None
    new_base64: str | None = None
    new_hash: str = ""
    at: str = ""


class ToldData(msgspec.Struct, frozen=True):
    """What an event tells."""

    count: int
    changes: tuple[ToldChange, ...]
    detail: str
    read: str
    revision: ToldRevision | None = None


class ToldEvent(msgspec.Struct, frozen=True):
    """An event as a stream tells it."""

    type: str
    time: str
    data: ToldData


def event_lines(event: ToldEvent, stream: TextIO) -> Iterator[str]:
    """Write an event: what came of which commit, then a line for each key."""
    data = event.data
    yield paint(f"{_local(event.time)}  {_title(event)}: {count(data.count, 'key')}", stream, bold=True)
    most = MOST_KEYS if stream.isatty() else None
    for change in sorted(data.changes, key=lambda each: each.key)[:most]:  # they come in any order
        yield from change_lines(_saved(change), stream)
    if most is not None and len(data.changes) > most:
        yield f"… and {len(data.changes) - most:,} more; --output json, or a pipe, shows all"
    if data.detail == "none" and data.count:
        yield f"too many to list; they stand at {printable(data.read)}"


def _title(event: ToldEvent) -> str:
    revision = event.data.revision
    if event.type == TYPES["reset"]:
        return _RESET + (f" as of {_commit(revision)}" if revision else "")
    return _commit(revision) if revision else _FOREIGN


def _commit(revision: ToldRevision) -> str:
    name = short(revision.commit, worktree=revision.worktree)
    title = printable(revision.message.partition("\n")[0])
    return f"{name} {title!r} by {printable(revision.author)}"


def _local(time: str) -> str:
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return printable(time)


def _saved(change: ToldChange) -> SavedChange:
    before = _value(change.old, change.old_base64, change.old_hash)
    after = _value(change.new, change.new_base64, change.new_hash)
    return SavedChange(change.operation, change.key, 0, before, after, change.at or None)


def _value(text: str | None, encoded: str | None, hash_: str) -> SavedValue | None:
    if text is not None:
        return SavedValue(text=text)
    if encoded is not None:
        return SavedValue(base64=base64.b64decode(encoded))
    return SavedValue(hash=hash_[:_HASH]) if hash_ else None
