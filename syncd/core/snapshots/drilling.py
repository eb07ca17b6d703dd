"""What a drill found: is every key of the snapshot in the store that it was restored into?"""

from collections.abc import Iterable, Mapping

import msgspec

from syncd.core import live
from syncd.core.digest import value_hash
from syncd.core.snapshots.records import Entry


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
