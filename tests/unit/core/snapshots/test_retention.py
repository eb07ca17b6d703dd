"""Which snapshots are kept."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.snapshots.retention import Dated, Policy, kept

START = date(2026, 1, 1)


def nightly(days: int) -> list[Dated]:
    return [Dated(f"d{day:03}", START + timedelta(day), day * 86_400) for day in range(days)]


def test_days_weeks_and_months_thin_out_into_the_past() -> None:
    found = kept(nightly(365), Policy(last=1, daily=3, weekly=2, monthly=4))
    assert found["d364"] == ("newest", "last", "daily", "weekly", "monthly")
    dates = sorted(START + timedelta(int(name[1:])) for name in found)
    assert [str(each) for each in dates] == [
        "2026-09-30",
        "2026-10-31",
        "2026-11-30",
        "2026-12-27",  # a Sunday: the end of the week before
        "2026-12-29",
        "2026-12-30",
        "2026-12-31",
    ]


def test_days_without_a_snapshot_do_not_count() -> None:
    rare = [Dated(f"d{day}", START + timedelta(day), day) for day in (0, 40, 90)]
    assert set(kept(rare, Policy(last=0, daily=3, weekly=0, monthly=0))) == {"d0", "d40", "d90"}


def test_of_several_on_one_day_the_newest_stands_for_it() -> None:
    many = [Dated(f"h{hour}", START, hour) for hour in range(5)]
    assert set(kept(many, Policy(last=0, daily=7, weekly=5, monthly=12))) == {"h4"}


def test_a_pinned_one_stays_and_takes_nobody_s_place() -> None:
    snapshots = [Dated(each.name, each.date, each.taken, each.name == "d002") for each in nightly(9)]
    found = kept(snapshots, Policy(last=2, daily=0, weekly=0, monthly=0))
    assert found == {"d008": ("newest", "last"), "d002": ("pinned",), "d007": ("last",)}


@st.composite
def histories(draw: st.DrawFn) -> list[Dated]:
    days = draw(st.lists(st.integers(0, 800), max_size=40))
    return [
        Dated(f"n{number}", START + timedelta(day), draw(st.integers(0, 10**6)), draw(st.booleans()))
        for number, day in enumerate(days)
    ]


@given(histories(), st.builds(Policy, *(st.integers(0, 6),) * 4))
def test_the_newest_and_the_pinned_are_always_kept_and_no_more_than_asked(
    snapshots: list[Dated], policy: Policy
) -> None:
    found = kept(snapshots, policy)
    if snapshots:
        assert max(snapshots, key=lambda each: (each.taken, each.name)).name in found
    pinned = {each.name for each in snapshots if each.pinned}
    assert pinned <= set(found)
    most = policy.last + policy.daily + policy.weekly + policy.monthly
    assert len(set(found) - pinned) <= max(1, most)
    assert set(found) <= {each.name for each in snapshots}


@given(histories(), st.builds(Policy, *(st.integers(0, 6),) * 4))
def test_removing_the_others_changes_nothing_of_what_is_kept(snapshots: list[Dated], policy: Policy) -> None:
    found = kept(snapshots, policy)
    assert kept([each for each in snapshots if each.name in found], policy) == found


def test_nothing_is_kept_of_nothing() -> None:
    assert kept([], Policy(1, 1, 1, 1)) == {}
