"""Drift: live differs from what the applied commit said."""

from syncd.core.change import Change, Operation
from syncd.core.drift import drifted, reported
from tests.support.planning import based, have, plan, record, want


def test_a_missing_and_a_changed_key_are_drift_and_a_lost_mark_is_not() -> None:
    base = {"same": based("1"), "unmarked": based("1"), "changed": based("1"), "missing": based("1")}
    live = {"same": have("1"), "unmarked": have("1", 0), "changed": have("2"), "foreign": have("3", 0)}
    assert drifted(base, live) == ("changed", "missing")


def test_nothing_applied_is_no_drift() -> None:
    assert drifted({}, {"foreign": have("1", 0)}) == ()


def test_drift_that_is_only_reported_is_told_as_the_change_that_would_heal_it() -> None:
    keys = {"edited": want("1", drift="report"), "gone": want("1", drift="report", secret=True)}
    live = {"edited": have("by hand", 0)}
    made = plan(keys, live, dict.fromkeys(keys, based("1")), record=record())
    assert made.changes == ()
    assert reported(made, keys, live) == (
        Change(Operation.UPDATE, "edited", live["edited"], keys["edited"]),
        Change(Operation.CREATE, "gone", None, keys["gone"], secret=True),
    )
