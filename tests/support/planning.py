"""Short ways to write down what a plan is made from."""

from collections.abc import Mapping
from typing import Any, Literal

from syncd.core.change import Change
from syncd.core.desired import BaseKey, Commit, Desired, DesiredKey, Policy, StoredBaseKey
from syncd.core.digest import add, value_hash
from syncd.core.history import Relation
from syncd.core.live import Entry
from syncd.core.mark import LOCK_FLAGS, mark_of
from syncd.core.plan import Plan
from syncd.core.planning import Situation, make_plan
from syncd.core.record import FORMAT, Applied, Record

SOURCE = "config"
PREFIX = "config"
OURS = mark_of(SOURCE)
THEIRS = mark_of("another source")
LOCKED = LOCK_FLAGS


def want(value: str, *, drift: Literal["enforce", "report"] = "enforce", secret: bool = False) -> DesiredKey:
    return DesiredKey(value.encode(), "brain.yaml", 1, 1, secret, Policy(drift=drift))


def have(value: str, flags: int = OURS, *, index: int = 7, session: str = "") -> Entry:
    return Entry(value.encode(), flags, index, session)


def based(value: str, *, secret: bool = False) -> StoredBaseKey:
    return StoredBaseKey(value_hash(value.encode()), "brain.yaml", secret)


def keeps_nothing(key: str, path: str | None) -> Literal["", "prune", "ignored"]:
    return ""


def keeps_some(key: str, path: str | None) -> Literal["", "prune", "ignored"]:
    """Keep what stands under ``kept/`` (``prune: false``) and ``ignored/``."""
    return "prune" if key.startswith("kept/") else "ignored" if key.startswith("ignored/") else ""


def desired(keys: Mapping[str, DesiredKey]) -> Desired:
    return Desired(keys, add(0, ((key, wanted.value) for key, wanted in keys.items())), keeps_some)


def tree(**values: str) -> dict[str, DesiredKey]:
    return {key: want(value) for key, value in values.items()}


def applied(commit: str = "a" * 40) -> Applied:
    return Applied(commit, "refs/heads/main", "Ana", "Change", 1, 1, "0" * 64)


def record(**fields: Any) -> Record:
    """Make a record of this source that has applied commit ``aaaa…``, unless told otherwise."""
    given: dict[str, Any] = {"applied": applied(), **fields}
    return Record(FORMAT, given.pop("source", SOURCE), given.pop("lineage", "line"), OURS, "epoch", **given)


def plan(
    wanted: Mapping[str, DesiredKey],
    live: Mapping[str, Entry],
    base: Mapping[str, BaseKey] | None = None,
    *,
    record: Record | None,
    commit: Commit | None = None,
    relation: Relation = Relation.DESCENDANT,
    lineage: str | None = None,
    only: frozenset[str] | None = None,
) -> Plan:
    target = commit or Commit("b" * 40)
    return make_plan(Situation(SOURCE, PREFIX, target, desired(wanted), live, record, base, relation, lineage, only))


def done(change: Change, index: int = 99) -> Entry | None:
    """Return what stands at the key after a change."""
    if change.operation == "delete":
        return None
    return Entry(change.value, 0 if change.operation == "release" else OURS, index)


def written(live: Mapping[str, Entry], changes: tuple[Change, ...]) -> dict[str, Entry]:
    """Return live after changes, each of which must hold at the index it saw."""
    after = dict(live)
    for change in changes:
        assert after.get(change.key) == change.before
        entry = done(change)
        after.pop(change.key, None)
        if entry is not None:
            after[change.key] = entry
    return after
