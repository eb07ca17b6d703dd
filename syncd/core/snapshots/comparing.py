"""What has changed in the keys between two snapshots."""

from collections.abc import Iterable

import msgspec

from syncd.core.change import Operation
from syncd.core.digest import hash_text, value_hash
from syncd.core.snapshots.records import Entry


class Side(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key in one of the two; ``value`` only where values were asked for."""

    hash: bytes
    size: int
    flags: int
    value: bytes | None = None

    @property
    def shown_hash(self) -> str:
        """What stands in place of the value."""
        return hash_text(self.hash)


class Changed(msgspec.Struct, frozen=True):
    """A key that differs: how it was (None: not there), and how it is."""

    key: str
    old: Side | None
    new: Side | None

    @property
    def operation(self) -> Operation:
        """What happened to the key."""
        if self.old is None:
            return Operation.CREATE
        return Operation.DELETE if self.new is None else Operation.UPDATE


class Comparison(msgspec.Struct, frozen=True):
    """All that differs, in the keys' order, and how many keys are the same."""

    changes: tuple[Changed, ...]
    same: int


def compare(old: Iterable[Entry], new: Iterable[Entry], *, values: bool = False) -> Comparison:
    """Compare values and flags; locks and indexes are no content. Only asked-for values are held in memory."""
    before = {entry.key: _side(entry, values) for entry in old}
    changes, same = [], 0
    for entry in new:
        was, now = before.pop(entry.key, None), _side(entry, values)
        if was == now:
            same += 1
        else:
            changes.append(Changed(entry.key, was, now))
    changes += (Changed(key, was, None) for key, was in before.items())
    return Comparison(tuple(sorted(changes, key=lambda change: change.key)), same)


def side_of(value: bytes, flags: int) -> Side:
    """Describe a value without showing it."""
    return Side(value_hash(value), len(value), flags)


def _side(entry: Entry, values: bool) -> Side:
    return Side(value_hash(entry.value), len(entry.value), entry.flags, entry.value if values else None)
