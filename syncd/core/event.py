"""Events: what changed in the store, one for each whole revision or burst of foreign changes; and what went wrong."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final, Literal

import msgspec

from syncd.core.digest import value_hash
from syncd.core.snapshots.failing import Failure

EventKind = Literal["revision", "foreign", "reset", "snapshot", "test"]
About = Literal["keys", "snapshots"]
Operation = Literal["create", "update", "delete"]
MOST_CHANGES: Final = 10_000
MOST_BYTES: Final = 4 << 20
"""An event of more changes, or of more bytes in their values, only names its keys."""


class KeyChange(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One key's change. ``old`` and ``new`` are None where the key is not there, or where its value may not be told.

    The hashes (``sha256:`` and 64 digits) are "" where the key is not there. ``at`` is ``path:line:column`` from the
    repository's root, "" where git does not say the key.
    """

    key: str
    operation: Operation
    old: bytes | None = None
    new: bytes | None = None
    old_hash: str = ""
    new_hash: str = ""
    at: str = ""
    secret: bool = False

    def __repr__(self) -> str:
        """Never show a value: a stray log line or traceback would."""
        return f"KeyChange({self.operation} {self.key!r})"


class ToldRevision(msgspec.Struct, frozen=True, omit_defaults=True):
    """The commit behind an event; ``time`` in Unix seconds."""

    commit: str
    ref: str = ""
    author: str = ""
    message: str = ""
    time: int = 0
    worktree: bool = False


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event. ``seq`` orders events on this node, ``id`` names one anywhere; ``time`` in Unix seconds.

    ``count`` is the number of keys that changed; ``changes`` may lack values, or be empty, where that would be too
    much. A ``reset`` says: forget what you know, this is everything. A ``snapshot`` has ``failures`` and no keys.
    """

    id: str
    kind: EventKind
    epoch: str
    index: int
    time: float
    changes: tuple[KeyChange, ...]
    count: int
    revision: ToldRevision | None = None
    seq: int = 0
    failures: tuple[Failure, ...] = ()

    @property
    def about(self) -> About:
        """Name what it tells of: nobody wants both in one."""
        return "snapshots" if self.kind == "snapshot" else "keys"


def shown(value: bytes) -> str:
    """Write a value's hash as events carry it."""
    return f"sha256:{value_hash(value).hex()}"


def fold(events: Sequence[Event]) -> Event:
    """Make one event of several about the same, in a row: each key with its first old and its last new value.

    A key that came back to its old value stays in it: a try that failed may have told the value between.
    """
    last = events[-1]
    if len(events) == 1:
        return last
    changes: dict[str, KeyChange] = {}
    for event in events:
        for change in event.changes:
            before = changes.get(change.key)
            changes[change.key] = _joined(before, change) if before else change
    revision = next((event.revision for event in reversed(events) if event.revision), None)
    listed = all(len(event.changes) == event.count for event in events)
    return msgspec.structs.replace(
        last,
        kind="revision" if revision else last.kind,
        revision=revision,
        changes=tuple(changes.values()) if listed else (),
        count=len(changes) if listed else sum(event.count for event in events),
        failures=tuple([failure for event in events for failure in event.failures]),
    )


def limit(event: Event, wanted: Callable[[str], bool]) -> Event | None:
    """Leave only the keys that are wanted; None where none is. What lists no keys concerns everybody."""
    if not event.changes:
        return event if event.count or event.kind in ("reset", "snapshot", "test") else None
    changes = tuple([change for change in event.changes if wanted(change.key)])
    if len(changes) == len(event.changes):
        return event
    if not changes and event.kind != "reset":
        return None
    return msgspec.structs.replace(event, changes=changes, count=len(changes))


def without_values(event: Event, but: tuple[str, ...] = ()) -> Event:
    """Leave the hashes alone; ``but`` keys that begin so keep their values."""
    bare = [
        change if change.key.startswith(but) else msgspec.structs.replace(change, old=None, new=None)
        for change in event.changes
    ]
    return msgspec.structs.replace(event, changes=tuple(bare))


def hidden(event: Event, secrets: Container[str]) -> Event:
    """Hide the values of keys that are secret by now; when the event was written they may not have been."""
    if not any(change.key in secrets and not change.secret for change in event.changes):
        return event
    changes = [
        msgspec.structs.replace(change, old=None, new=None, secret=True) if change.key in secrets else change
        for change in event.changes
    ]
    return msgspec.structs.replace(event, changes=tuple(changes))


def bounded(changes: Sequence[KeyChange]) -> tuple[KeyChange, ...]:
    """Leave out all but the names where everything would be too much to keep."""
    if len(changes) <= MOST_CHANGES and size_of(changes) <= MOST_BYTES:
        return tuple(changes)
    return tuple([named(change) for change in changes])


def size_of(changes: Iterable[KeyChange]) -> int:
    """Count the bytes of all values."""
    return sum(len(change.old or b"") + len(change.new or b"") for change in changes)


def named(change: KeyChange) -> KeyChange:
    """Leave the name of the key and what happened to it."""
    return KeyChange(change.key, change.operation)


def _joined(first: KeyChange, last: KeyChange) -> KeyChange:
    operation: Operation = last.operation
    if operation != "delete":
        operation = "create" if first.operation == "create" else "update"
    elif first.operation == "create":
        return last  # what came and went is gone from its last value: from none at all nobody could tell what happened
    if operation != "delete" and not last.new_hash:  # a bare name: only that it changed is known
        return KeyChange(last.key, operation)
    return msgspec.structs.replace(
        last,
        operation=operation,
        old=None if last.secret else first.old,
        old_hash=first.old_hash,
        secret=first.secret or last.secret,
    )
