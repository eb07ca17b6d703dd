"""What a drill found: is every key of the snapshot in the store that it was restored into?"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

import msgspec

from syncd.core import live
from syncd.core.digest import value_hash
from syncd.core.documents import UNREADABLE
from syncd.core.snapshots.records import Entry
from syncd.core.snapshots.schedule import Due

FORMAT: Final = 1


class Drilled(msgspec.Struct, frozen=True):
    """How many keys are the same, and which are not, by their names."""

    same: int
    missing: tuple[str, ...]
    different: tuple[str, ...]
    foreign: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Tell whether the store holds what the snapshot says, and nothing else."""
        return not (self.missing or self.different or self.foreign)


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a directory of snapshots of the last scheduled drill that passed.

    ``date`` is the local date for which it was due, ``ended`` when it was over, ``taken`` when its snapshot, ``file``,
    was taken (Unix seconds). ``store`` says what that was restored into, ``seconds`` how long it took.
    """

    format: int = FORMAT
    date: date
    ended: int
    file: str
    taken: int
    keys: int
    store: str
    seconds: float

    def meets(self, due: Due, now: float) -> bool:
        """Tell whether it will do: it was for that date, or has ended since then."""
        return self.date == due.day or due.at <= self.ended <= now


def encode(passed: Passed) -> bytes:
    """Write it as JSON."""
    return msgspec.json.encode(passed)


def decode(text: bytes | None) -> Passed | None:
    """Read it; None where there is none that can be read: then there is one drill more."""
    try:
        found = msgspec.json.decode(text, type=Passed) if text is not None else None
    except UNREADABLE:
        return None
    return found if found is not None and found.format == FORMAT else None


def judge(entries: Iterable[Entry], found: Mapping[str, live.Entry]) -> Drilled:
    """Compare by hash and flags; names that are not UTF-8 as a store shows them."""
    wanted = {_shown(entry.key): (value_hash(entry.value), entry.flags) for entry in entries}
    stands = {key: (value_hash(entry.value), entry.flags) for key, entry in found.items()}
    different = sorted(key for key in wanted.keys() & stands.keys() if wanted[key] != stands[key])
    return Drilled(
        len(wanted.keys() & stands.keys()) - len(different),
        tuple(sorted(wanted.keys() - stands.keys())),
        tuple(different),
        tuple(sorted(stands.keys() - wanted.keys())),
    )


def _shown(key: str) -> str:
    return key.encode(errors="surrogateescape").decode(errors="replace")
