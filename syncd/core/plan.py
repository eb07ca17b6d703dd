"""The plan: the changes that make live equal desired, as a value that can refuse itself."""

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from operator import attrgetter
from typing import Final

import msgspec

from syncd.core import digest, guards
from syncd.core.change import Change, Operation, Why
from syncd.core.desired import Commit
from syncd.core.digest import value_hash
from syncd.core.guards import Refusal, Refused
from syncd.core.record import MAX_ORPHANS, Applying

WITHHELD: Final = ("orphan", "unproved")
"""The reasons for which a delete waits for an approval, while the rest of the plan goes on."""
KEPT: Final = ("prune", "ignored")
"""The reasons for which a key stays in the store though git no longer names it."""
MAX_GRANTED: Final = 20_000
"""Approved deletes and takeovers that the record can hold, 8 bytes each; more are approved anew after a crash."""


class Left(msgspec.Struct, frozen=True):
    """A key that differs and is left as it is, and why."""

    key: str
    why: Why


class Plan(msgspec.Struct, frozen=True):
    """What an apply would do, in the order of the keys.

    ``withheld`` are deletes that wait for an approval; ``left`` are differences that stay; ``owned`` counts the keys
    that syncd may speak for; ``foreign`` counts live keys that are nobody's business here. ``rebuilt`` goes into the
    next record. ``partial``: only some keys were looked at, so withheld deletes and foreign keys may be missing here.
    """

    source: str
    prefix: str
    epoch: str
    applied: str | None
    commit: Commit
    changes: tuple[Change, ...]
    withheld: tuple[tuple[Change, Why], ...]
    left: tuple[Left, ...]
    refusals: tuple[Refusal, ...]
    keys: int
    digest: int
    owned: int
    foreign: int
    rebuilt: bool
    partial: bool = False
    lifted: tuple[str, ...] = ()

    @property
    def orphans(self) -> tuple[str, ...]:
        """The orphans that stay: the next record remembers them, so that they can still be approved later."""
        return tuple(change.key for change, why in self.withheld if why == "orphan")[:MAX_ORPHANS]

    @property
    def counts(self) -> dict[str, int]:
        """The number of changes by operation, in the operations' order."""
        found = Counter(change.operation for change in self.changes)
        return {operation.value: found[operation] for operation in Operation if found[operation]}

    @property
    def needs_approval(self) -> bool:
        """Tell whether an approval of this plan's hash would change anything."""
        liftable = any(refusal.guard not in guards.NEVER_LIFTED for refusal in self.refusals)
        return liftable or bool(self.withheld)

    @property
    def liftable(self) -> tuple[str, ...]:
        """What an approval would lift: guards, and the reasons of withheld deletes."""
        names = {refusal.guard.value for refusal in self.refusals} - guards.NEVER_LIFTED
        return tuple(sorted(names | {str(why) for _, why in self.withheld}))

    @property
    def hash(self) -> str:
        """Name exactly what a person would approve, in 16 hexadecimal digits.

        Covers source, prefix, epoch, both commits, the guards, and deletes, takeovers and withheld deletes with the
        hash of the live value; no indexes, no times, no ordinary updates, so that those do not void an approval.
        Lifting what it names does not change it.
        """
        grave = [*_grave(self.changes), *(change for change, _ in self.withheld)]
        rows = sorted((change.operation, change.key, _live_hash(change)) for change in grave)
        lifting = sorted({*self.liftable, *self.lifted})
        # A commit id fixes every value that would be written; uncommitted edits are fixed by their digest alone.
        target = f"{self.commit.id}+{self.digest:x}" if self.commit.worktree else self.commit.id
        covered = (self.source, self.prefix, self.epoch, self.applied, target, lifting, rows)
        return sha256(msgspec.json.encode(covered)).hexdigest()[:16]

    @property
    def strays(self) -> bool:
        """Tell whether the commit does not follow what the store holds, as far as this clone can tell."""
        return any(refusal.guard in guards.HISTORY for refusal in self.refusals)

    def demand(self) -> None:
        """Raise Refused while a guard stands."""
        if self.refusals:
            final = any(refusal.guard in guards.NEVER_LIFTED for refusal in self.refusals)
            raise Refused(self.refusals, "" if final else self.hash)

    def approve(self, hash_: str | None) -> "Plan":
        """Lift this plan's guards if the hash is its own; otherwise return it unchanged."""
        return self.lift(self.liftable) if self.needs_approval and hash_ == self.hash else self

    @property
    def granted(self) -> bytes:
        """Hash what an approved plan deletes and takes over, eight bytes each; empty where that is too much to keep."""
        hashes = sorted(_grave_hash(change) for change in _grave(self.changes)) if self.lifted else []
        return b"".join(hashes) if len(hashes) <= MAX_GRANTED else b""

    def resume(self, applying: Applying | None) -> "Plan":
        """Lift what was lifted when this revision was begun, unless more would now be deleted or taken over."""
        target = (self.commit.id, self.commit.worktree, digest.render(self.digest))
        if applying is None or (applying.commit, applying.worktree, applying.digest) != target:
            return self
        granted = {applying.granted[start : start + 8] for start in range(0, len(applying.granted), 8)}
        lifted = self.lift(applying.lifted)
        return lifted if all(_grave_hash(change) in granted for change in _grave(lifted.changes)) else self

    def lift(self, names: Iterable[str]) -> "Plan":
        """Lift the named guards and let the deletes through that were withheld for a named reason."""
        allowed = set(names) - guards.NEVER_LIFTED
        freed = [change for change, why in self.withheld if why in allowed]
        withheld = tuple(pair for pair in self.withheld if pair[1] not in allowed)
        return msgspec.structs.replace(
            self,
            changes=in_order([*self.changes, *freed]),
            withheld=withheld,
            refusals=tuple(refusal for refusal in self.refusals if refusal.guard not in allowed),
            rebuilt=self.rebuilt and (self.partial or any_unproved(withheld)),
            lifted=tuple(sorted({*self.lifted, *(allowed & set(self.liftable))})),
        )


def any_unproved(withheld: Iterable[tuple[Change, Why]]) -> bool:
    """Tell whether any delete waits because nothing proves that the key is syncd's."""
    return any(why == "unproved" for _, why in withheld)


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Sort by code points, which is the order of UTF-8's bytes and so the store's."""
    return tuple(sorted(changes, key=attrgetter("key")))


def _grave(changes: Iterable[Change]) -> list[Change]:
    """Pick the changes by which somebody could lose something."""
    return [change for change in changes if change.operation in (Operation.DELETE, Operation.TAKEOVER)]


def _grave_hash(change: Change) -> bytes:
    row = (change.operation, change.key, _live_hash(change))
    return sha256(msgspec.json.encode(row)).digest()[:8]


def _live_hash(change: Change) -> str:
    return value_hash(change.before.value).hex() if change.before else ""
