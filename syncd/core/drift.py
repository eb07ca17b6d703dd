"""Drift: where the live store is not what the applied commit says."""

from collections.abc import Mapping

from syncd.core.change import Change, Operation
from syncd.core.desired import Base, DesiredKey, sorted_pairs
from syncd.core.digest import value_hash
from syncd.core.live import Entry
from syncd.core.plan import Plan


def drifted(base: Base, live: Mapping[str, Entry]) -> tuple[str, ...]:
    """List the keys of the applied commit that are missing or hold another value; a lost mark alone is no drift."""
    return tuple(sorted(key for key in base if _differs(base, key, live.get(key))))


def differences(wanted: Mapping[str, DesiredKey], live: Mapping[str, Entry]) -> tuple[Change, ...]:
    """Return, as the changes that would heal it, where live is not what a commit says; marks do not count."""
    pairs = ((key, said, live.get(key)) for key, said in sorted_pairs(wanted))
    return tuple(_heal(key, said, entry) for key, said, entry in pairs if entry is None or entry.value != said.value)


def reported(plan: Plan, wanted: Mapping[str, DesiredKey], live: Mapping[str, Entry]) -> tuple[Change, ...]:
    """Return, as the changes that would heal it, the drift that the tree only wants reported."""
    return tuple(_heal(left.key, wanted[left.key], live.get(left.key)) for left in plan.left if left.why == "drift")


def _heal(key: str, wanted: DesiredKey, live: Entry | None) -> Change:
    return Change(Operation.UPDATE if live else Operation.CREATE, key, live, wanted, wanted.secret)


def _differs(base: Base, key: str, entry: Entry | None) -> bool:
    said = base.get(key)
    return said is not None and (entry is None or value_hash(entry.value) != said.hash)
