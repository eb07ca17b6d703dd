"""What syncd does about one key: a table over what git wants, what the store holds and what was applied."""

import pytest

from syncd.core.change import Operation, is_claimed
from syncd.core.desired import BaseKey, DesiredKey
from syncd.core.live import Entry
from syncd.core.mark import LOCK_FLAGS, SEMAPHORE_FLAGS
from syncd.core.plan import Plan
from tests.support.planning import LOCKED, OURS, THEIRS, based, have, plan, record, want

NEW, OLD, HAND = "new", "old", "by hand"


def about(plan: Plan) -> str:
    """Say in a word or two what a plan does with its only key."""
    if plan.withheld:
        ((change, why),) = plan.withheld
        return f"{change.operation} if approved: {why}"
    conflict = " but conflict" if any(refusal.guard == "conflict" for refusal in plan.refusals) else ""
    left = f" left: {plan.left[0].why}" if plan.left else ""
    return (plan.changes[0].operation if plan.changes else "nothing") + conflict + left


@pytest.mark.parametrize(
    ("live", "base", "outcome"),
    [
        # missing
        (None, None, "create"),
        (None, based(OLD), "create"),
        (None, based(NEW), "create"),
        # equal
        (have(NEW), None, "nothing"),
        (have(NEW), based(OLD), "nothing"),
        (have(NEW, session="s"), based(NEW), "nothing"),
        (have(NEW, 0), None, "mark"),
        (have(NEW, 0), based(NEW), "mark"),
        (have(NEW, 42), None, "mark"),
        (have(NEW, THEIRS), None, "takeover but conflict"),
        (have(NEW, THEIRS), based(NEW), "takeover but conflict"),
        (have(NEW, LOCKED), None, "takeover but conflict"),
        (have(NEW, 0, session="s"), None, "takeover but conflict"),
        # different
        (have(OLD), None, "update"),
        (have(OLD), based(OLD), "update"),
        (have(HAND, 0), based(OLD), "update"),
        (have(HAND, 0), based(NEW), "update"),
        (have(HAND, 0), None, "takeover"),
        (have(HAND, 42), None, "takeover"),
        (have(HAND, THEIRS), None, "takeover but conflict"),
        (have(HAND, THEIRS), based(OLD), "takeover but conflict"),
        (have(HAND, LOCKED), based(OLD), "takeover but conflict"),
        (have(OLD, session="s"), based(OLD), "takeover but conflict"),
    ],
)
def test_a_key_that_git_names(live: Entry | None, base: BaseKey | None, outcome: str) -> None:
    found = plan(
        {"k": want(NEW)},
        {"k": live} if live else {},
        {"k": base} if base else {},
        record=record(),
    )
    assert about(found) == outcome


@pytest.mark.parametrize(
    ("live", "base", "outcome"),
    [
        # git itself has not changed the key: a difference is drift, and is only reported
        (None, based(NEW), "nothing left: drift"),
        (have(HAND), based(NEW), "nothing left: drift"),
        (have(HAND, 0), based(NEW), "nothing left: drift"),
        (have(HAND, THEIRS), based(NEW), "nothing left: drift"),
        (have(HAND, session="s"), based(NEW), "nothing left: drift"),
        # the same value is no drift
        (have(NEW), based(NEW), "nothing"),
        (have(NEW, 0), based(NEW), "mark"),
        # git changed it, or nothing is known: git wins
        (None, based(OLD), "create"),
        (None, None, "create"),
        (have(HAND), based(OLD), "update"),
        (have(HAND, 0), based(OLD), "update"),
        (have(HAND), None, "update"),
        (have(HAND, 0), None, "takeover"),
        (have(HAND, THEIRS), based(OLD), "takeover but conflict"),
    ],
)
def test_a_key_whose_drift_is_only_reported(live: Entry | None, base: BaseKey | None, outcome: str) -> None:
    wanted: dict[str, DesiredKey] = {"k": want(NEW, drift="report")}
    found = plan(wanted, {"k": live} if live else {}, {"k": base} if base else {}, record=record())
    assert about(found) == outcome


@pytest.mark.parametrize(
    ("key", "live", "base", "outcome"),
    [
        # ours
        ("k", have(OLD), based(OLD), "delete"),
        ("k", have(HAND), based(OLD), "delete"),
        ("k", have(OLD), None, "delete"),
        ("k", have(OLD, session="s"), based(OLD), "delete but conflict"),
        ("k", have(OLD, session="s"), None, "delete but conflict"),
        # foreign: not a word about it
        ("k", have(OLD, 0), None, "nothing"),
        ("k", have(OLD, THEIRS), None, "nothing"),
        ("k", have(OLD, LOCKED), None, "nothing"),
        ("k", have(OLD, 0, session="s"), None, "nothing"),
        # orphan: git said it once, and somebody has edited it since
        ("k", have(HAND, 0), based(OLD), "delete if approved: orphan"),
        ("k", have(OLD, 0), based(OLD), "delete if approved: orphan"),
        # somebody else's by now
        ("k", have(OLD, THEIRS), based(OLD), "nothing left: foreign"),
        ("k", have(OLD, LOCKED), based(OLD), "nothing left: foreign"),
        ("k", have(OLD, 0, session="s"), based(OLD), "nothing left: foreign"),
        # gone from the store already
        ("k", None, based(OLD), "nothing"),
        # kept by the tree's rules: let go once, then quiet
        ("kept/k", have(OLD), based(OLD), "release left: prune"),
        ("kept/k", have(OLD), None, "release left: prune"),
        ("ignored/k", have(OLD), based(OLD), "release left: ignored"),
        ("kept/k", have(OLD, 0), based(OLD), "nothing left: prune"),
        ("kept/k", have(OLD, 0), None, "nothing"),
        ("kept/k", have(OLD, session="s"), based(OLD), "nothing left: prune"),
        ("ignored/k", have(OLD, THEIRS), based(OLD), "nothing left: foreign"),
    ],
)
def test_a_key_that_git_does_not_name(key: str, live: Entry | None, base: BaseKey | None, outcome: str) -> None:
    wanted = {"other": want(NEW)}
    found = plan(
        wanted,
        {"other": have(NEW)} | ({key: live} if live else {}),
        {"other": based(NEW)} | ({key: base} if base else {}),
        record=record(),
    )
    assert about(found) == outcome


@pytest.mark.parametrize(
    ("entry", "claimed"),
    [
        (have("v"), False),
        (have("v", 0), False),
        (have("v", 42), False),
        (have("v", THEIRS), True),
        (have("v", LOCK_FLAGS), True),
        (have("v", SEMAPHORE_FLAGS), True),
        (have("v", session="s"), True),
    ],
)
def test_a_claim_is_a_mark_a_session_or_a_consul_lock(entry: Entry, claimed: bool) -> None:
    assert is_claimed(entry, OURS) is claimed


def test_a_change_holds_at_the_index_seen_and_creates_only_where_nothing_stands() -> None:
    found = plan({"a": want("1"), "b": want("2")}, {"b": have("1", index=5)}, {}, record=record())
    assert [(change.key, change.index, change.value) for change in found.changes] == [("a", 0, b"1"), ("b", 5, b"2")]


def test_a_release_keeps_the_value() -> None:
    (change,) = plan({"a": want("1")}, {"a": have("1"), "kept/k": have("v")}, {}, record=record()).changes
    assert (change.operation, change.value, change.index) == (Operation.RELEASE, b"v", 7)


@pytest.mark.parametrize(
    ("wanted", "base", "secret"),
    [
        (want(NEW), None, False),
        (want(NEW, secret=True), None, True),
        (want(NEW), based(OLD, secret=True), True),
        (None, based(OLD), False),
        (None, based(OLD, secret=True), True),
        (None, None, True),
    ],
)
def test_a_change_is_secret_where_either_side_is_or_nobody_knows(
    wanted: DesiredKey | None, base: BaseKey | None, secret: bool
) -> None:
    keys = {"other": want("1")} | ({"k": wanted} if wanted else {})
    live = {"other": have("1"), "k": have(OLD)}
    (change,) = plan(keys, live, {"k": base} if base else {}, record=record()).changes
    assert change.secret is secret
