"""Planning: from what is desired, live and known to the plan, key by key, and every guard put to it."""

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Final

import msgspec

from syncd.core import guards
from syncd.core.change import Change, Decision, Operation, decide_unwanted, decide_wanted
from syncd.core.desired import Base, Commit, Desired, StoredBaseKey
from syncd.core.guards import Refusal
from syncd.core.history import Relation
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.plan import KEPT, WITHHELD, Left, Plan, any_unproved, in_order
from syncd.core.record import Record, commits_to_follow

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
        changes=in_order(changes + [d.change for _, d in special if d.change is not None and d.why not in WITHHELD]),
        withheld=withheld,
        left=left,
        refusals=_refusals(situation, by_operation, conflicts, owned),
        keys=len(situation.desired.keys),
        digest=situation.desired.digest,
        owned=owned,
        foreign=_foreign(situation),
        rebuilt=any_unproved(withheld) or (partial and record is not None and record.rebuilt),
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
