"""The plan: the changes that make live equal desired, as a value that can refuse itself."""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Final

import msgspec

from syncd.core import digest, guards
from syncd.core.change import Change, Decision, Operation, Why, decide_unwanted, decide_wanted
from syncd.core.desired import Base, Commit, Desired, StoredBaseKey
from syncd.core.digest import value_hash
from syncd.core.guards import Refusal, Refused
from syncd.core.history import Relation
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.record import MAX_ORPHANS, Applying, Record, commits_to_follow

WITHHELD: Final = ("orphan", "unproved")
"""The reasons for which a delete waits for an approval, while the rest of the plan goes on."""
KEPT: Final = ("prune", "ignored")
"""The reasons for which a key stays in the store though git no longer names it."""


MAX_GRANTED: Final = 20_000
"""Approved deletes and takeovers that the record can hold, 8 bytes each; more are approved anew after a crash."""
_ORPHAN: Final = StoredBaseKey(b"", secret=True)
"""What is known of an orphan that an earlier plan left: that it was syncd's, and no more."""


class Situation(msgspec.Struct, frozen=True):
    """All that a plan is made from.

    ``base`` is None where only marks tell what was applied. ``relation`` is the gravest of those between ``commit`` and
    ``record.commits_to_follow``. ``lineage`` is the one that this node remembers, if any. ``only`` limits the plan to
    keys that can differ: those that changed since the base, given a mirror that equalled it. ``resting`` are keys
    that somebody else writes again and again: they are left for now, unless git changed them.
    """

    source: str
    prefix: str
    commit: Commit
    desired: Desired
    live: Mapping[str, Entry]
    record: Record | None
    base: Base | None
    relation: Relation
    lineage: str | None = None
    only: frozenset[str] | None = None
    resting: frozenset[str] = frozenset()


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
            changes=_sorted([*self.changes, *freed]),
            withheld=withheld,
            refusals=tuple(refusal for refusal in self.refusals if refusal.guard not in allowed),
            rebuilt=self.rebuilt and (self.partial or _any_unproved(withheld)),
            lifted=tuple(sorted({*self.lifted, *(allowed & set(self.liftable))})),
        )


def make_plan(situation: Situation) -> Plan:
    """Compare desired, live and base, and put every guard to the result."""
    changes, special = _compare(situation)
    spared = [change for change in changes if change.key in situation.resting and _is_drift(situation, change)]
    changes = [change for change in changes if change not in spared] if spared else changes
    special += [(change.key, Decision(None, "rival")) for change in spared]
    by_operation = Counter(map(attrgetter("operation"), changes))
    owned = max(_owned(situation), by_operation[Operation.DELETE])
    withheld = tuple((d.change, d.why) for _, d in special if d.change is not None and d.why in WITHHELD)
    left = tuple(Left(key, d.why) for key, d in special if d.why and (d.change is None or d.why in KEPT))
    conflicts = tuple(key for key, d in special if d.why == "conflict")
    record, partial = situation.record, situation.only is not None
    return Plan(
        source=situation.source,
        prefix=situation.prefix,
        # What was never applied has no past to go back to: an approval must outlive the record's first, empty form.
        epoch=record.epoch if record and record.applied else "",
        applied=record.applied.commit if record and record.applied else None,
        commit=situation.commit,
        changes=_sorted(changes + [d.change for _, d in special if d.change is not None and d.why not in WITHHELD]),
        withheld=withheld,
        left=left,
        refusals=_refusals(situation, by_operation, conflicts, owned),
        keys=len(situation.desired.keys),
        digest=situation.desired.digest,
        owned=owned,
        foreign=_foreign(situation),
        rebuilt=_any_unproved(withheld) or (partial and record is not None and record.rebuilt),
        partial=partial,
    )


def _compare(situation: Situation) -> tuple[list[Change], list[tuple[str, Decision]]]:
    """Decide about every key; return the ordinary changes, in no order, and what is special, in the keys' order."""
    mark, base, record = mark_of(situation.source), situation.base, situation.record
    wanted, live = situation.desired.keys, situation.live
    orphans = frozenset(record.orphans if record is not None else ())
    trusted = record is not None and record.applied is not None
    doubted = record is not None and record.rebuilt
    changes: list[Change] = []
    special: list[tuple[str, Decision]] = []
    # In the dicts' own order, not that of a set: neighbours lie together in memory, which halves the time.
    for key in chain(wanted, live.keys() - wanted.keys()) if situation.only is None else situation.only:
        want, have = wanted.get(key), live.get(key)
        if want is not None and have is not None and have.flags == mark and have.value == want.value:
            continue
        based = base.get(key) if base is not None else None
        based = _ORPHAN if based is None and key in orphans else based
        decision = None
        if want is not None:
            decision = decide_wanted(key, want, have, based, mark)
        elif have is not None:
            kept = situation.desired.keeps(key, based.path if based else None)
            proved = trusted and (based is not None or not doubted)
            decision = decide_unwanted(key, have, based, mark, kept, proved=proved)
        if decision is None:
            continue
        if decision.change is not None and decision.why is None:
            changes.append(decision.change)
        else:
            special.append((key, decision))
    return changes, sorted(special, key=itemgetter(0))


def _is_drift(situation: Situation, change: Change) -> bool:
    """Tell whether git says of a key what it said at the applied commit."""
    based = situation.base.get(change.key) if situation.base is not None else None
    return (based.hash if based else None) == (change.wanted.hash if change.wanted else None)


def _owned(situation: Situation) -> int:
    if situation.base is not None:
        return len(situation.base)
    mark = mark_of(situation.source)
    return sum(entry.flags == mark for entry in situation.live.values())


def _foreign(situation: Situation) -> int:
    if situation.only is not None:
        return 0
    mark, wanted, base = mark_of(situation.source), situation.desired.keys, situation.base
    orphans = situation.record.orphans if situation.record is not None else ()
    return sum(
        entry.flags != mark and key not in wanted and (base is None or base.get(key) is None) and key not in orphans
        for key, entry in situation.live.items()
    )


def _refusals(
    situation: Situation, by_operation: Mapping[Operation, int], conflicts: tuple[str, ...], owned: int
) -> tuple[Refusal, ...]:
    record = situation.record
    found: list[Refusal | None] = []
    followed = commits_to_follow(record, situation.commit.id)
    if followed:
        found.append(guards.history(situation.relation, followed, situation.commit.id))
    if record is not None and (record.source != situation.source or situation.lineage not in (None, record.lineage)):
        held = f"source {record.source!r}, lineage {record.lineage}"
        found.append(guards.other_lineage(held, f"source {situation.source!r}, lineage {situation.lineage or 'new'}"))
    if not situation.desired.keys and owned:
        found.append(guards.empty(owned))
    if guards.too_many_deletes(by_operation[Operation.DELETE], owned):
        found.append(guards.mass_delete(by_operation[Operation.DELETE], owned))
    if (record is None or record.applied is None) and by_operation[Operation.TAKEOVER]:
        found.append(guards.first_contact(by_operation[Operation.TAKEOVER]))
    if conflicts:
        found.append(guards.conflict(conflicts))
    return tuple(refusal for refusal in found if refusal is not None)


def _any_unproved(withheld: Iterable[tuple[Change, Why]]) -> bool:
    return any(why == "unproved" for _, why in withheld)


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
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
