"""Drift: live differs from what the applied commit said."""

from syncd.core.drift import drifted
from tests.support.planning import based, have


def test_a_missing_and_a_changed_key_are_drift_and_a_lost_mark_is_not() -> None:
    base = {"same": based("1"), "unmarked": based("1"), "changed": based("1"), "missing": based("1")}
    live = {"same": have("1"), "unmarked": have("1", 0), "changed": have("2"), "foreign": have("3", 0)}
    assert drifted(base, live) == ("changed", "missing")


def test_nothing_applied_is_no_drift() -> None:
    assert drifted({}, {"foreign": have("1", 0)}) == ()
