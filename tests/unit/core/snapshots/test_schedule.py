"""Which snapshots are due: one for each local date, over every change of the clocks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.cron import parse_cron
from syncd.core.snapshots.drilling import Passed
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.schedule import Due, Schedule, local_date, retry_after

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Kolkata",  # which never changes its clocks
]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
BEGIN, END = (datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2027, 1, 1, tzinfo=UTC).timestamp())


def schedule(text: str, zone: str = "Europe/Berlin", jitter: float = 0.0) -> Schedule:
    return Schedule(parse_cron(text), ZoneInfo(zone), jitter, "shop")


def manifest(day: date, taken: float) -> Manifest:
    contents = Contents(
        index=1, term=1, state_bytes=0, records=0, keys=0, nodes=0, services=0, checks=0, kinds={}, unknown=()
    )
    return Manifest(file="f", taken=int(taken), date=day, size=0, sha256="", prefix="", contents=contents)


def passed(day: date, ended: float) -> Passed:
    return Passed(date=day, ended=int(ended), file="f", taken=0, keys=0, store="Consul", seconds=0.0)


def at(text: str, zone: str) -> float:
    """Unix seconds of a local time; of one that comes twice, the first."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class Node:
    """A node as the schedule sees it: looks each minute, and keeps what it took."""

    def __init__(self, plan: Schedule, kept: list[Manifest] | None = None) -> None:
        self.plan = plan
        self.kept = kept if kept is not None else []

    def look(self, now: float) -> None:
        due = self.plan.latest(now)
        if not any(due.is_met_by(each, now) for each in reversed(self.kept)):
            self.kept.append(manifest(due.day, now))

    def dates(self) -> list[date]:
        return [each.date for each in self.kept]


def days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(1)


# promise 22
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["0 0", "30 0", "0 2", "15 2", "30 2", "0 3", "59 23"])
def test_every_local_date_of_2026_has_one_over_both_changes_of_the_clocks(zone: str, time: str) -> None:
    node = Node(schedule(f"{time} * * *", zone))
    now = BEGIN
    while now < END:
        node.look(now)
        now += HOUR
    first = node.dates()[0]
    assert node.dates() == list(days(first, first + timedelta(len(node.kept) - 1)))
    assert node.dates()[-1] >= date(2026, 12, 30)
    assert first <= date(2026, 1, 1)
    for each in node.kept[1:]:
        assert local_date(each.taken, ZoneInfo(zone)) in (each.date, each.date + timedelta(1))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["0 0", "0 2", "15 2", "30 2"])
def test_going_on_from_one_to_the_next_misses_none_and_repeats_none(zone: str, time: str) -> None:
    plan = schedule(f"{time} * * *", zone)
    due, found = plan.next(BEGIN), []
    while due.at < END:
        found.append(due)
        due = plan.next(due.at)
        assert plan.latest(due.at) == due
        assert plan.latest(due.at - 1) == found[-1]
    assert [each.day for each in found] == list(days(found[0].day, found[-1].day))


GAPS = [
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30Z"),  # 03:30 summer time
    ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30Z"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45Z"),  # half an hour is left out
    ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T02:30Z"),  # Ramadan's end
    ("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00Z"),  # the date begins at 01:00
]
FOLDS = [
    ("Europe/Berlin", "2026-10-25T02:30", HOUR),
    ("America/New_York", "2026-11-01T01:30", HOUR),
    ("Australia/Lord_Howe", "2026-04-05T01:45", HOUR / 2),
    ("Africa/Casablanca", "2026-02-15T02:30", HOUR),
    ("America/Santiago", "2026-04-04T23:30", HOUR),  # the date ends twice
]
KINDS = ["nightly", "drill"]


def scheduled(kind: str, zone: str, text: str) -> tuple[Schedule, date]:
    """Make the schedule of every night, or of every week, that has a local time, and name that date."""
    day, time = date.fromisoformat(text[:10]), text[11:]
    weekday = "*" if kind == "nightly" else str(day.isoweekday() % 7)
    return schedule(f"{time[3:]} {time[:2]} * * {weekday}", zone), day


def done(kind: str, plan: Schedule, first: float, last: float) -> list[tuple[date, float]]:
    """Look every five minutes, and say for which dates it was done, and when."""
    manifests: list[Manifest] = []
    drills: list[Passed] = []
    found: list[tuple[date, float]] = []
    now = first
    while now < last:
        due = plan.latest(now)
        met = [due.is_met_by(each, now) for each in manifests] + [each.meets(due, now) for each in drills]
        if not any(met):
            found.append((due.day, now))
            if kind == "nightly":
                manifests.append(manifest(due.day, now))
            else:
                drills.append(passed(due.day, now))
        now += 5 * MINUTE
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("zone", "text", "comes"), GAPS)
def test_a_time_that_the_date_lacks_comes_later_by_as_much(kind: str, zone: str, text: str, comes: str) -> None:
    plan, day = scheduled(kind, zone, text)
    due = Due(day, datetime.fromisoformat(comes).timestamp())
    naive = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    assert naive.astimezone(UTC).astimezone(naive.tzinfo).replace(tzinfo=None) != naive.replace(tzinfo=None), "no gap"
    assert plan.next(due.at - 20 * HOUR) == due
    found = done(kind, plan, due.at - 20 * HOUR, due.at + 20 * HOUR)
    assert [each for each in found[1:] if each[0] == day] == [(day, due.at)]
    assert len(found) == 2, "the one before was made up for, then this one came"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("zone", "text", "apart"), FOLDS)
def test_a_time_that_comes_twice_counts_once(kind: str, zone: str, text: str, apart: float) -> None:
    plan, day = scheduled(kind, zone, text)
    first = at(text, zone)
    again = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=1).timestamp()
    assert again - first == apart, "the zone has no such change that night"
    assert plan.next(first - 1) == Due(day, first)
    assert plan.next(first).day == day + timedelta(1 if kind == "nightly" else 7)
    found = done(kind, plan, first - 20 * HOUR, again + 20 * HOUR)
    assert [each for each in found[1:] if each[0] == day] == [(day, first)]
    assert len(found) == 2


def test_nights_that_were_missed_are_made_up_for_once() -> None:
    zone = "Europe/Berlin"
    node = Node(schedule("0 2 * * *", zone), [manifest(date(2026, 5, 1), at("2026-05-01T02:00", zone))])
    for text in ("2026-05-05T09:00", "2026-05-05T09:01", "2026-05-05T23:59", "2026-05-06T01:59"):
        node.look(at(text, zone))
    assert node.dates()[1:] == [date(2026, 5, 5)]
    node.look(at("2026-05-06T02:00", zone))
    assert node.dates()[1:] == [date(2026, 5, 5), date(2026, 5, 6)]


def test_one_made_up_for_before_two_o_clock_stands_for_the_night_before() -> None:
    zone = "Europe/Berlin"
    node = Node(schedule("0 2 * * *", zone), [manifest(date(2026, 5, 1), at("2026-05-01T02:00", zone))])
    for text in ("2026-05-05T01:00", "2026-05-05T02:00", "2026-05-05T02:01"):
        node.look(at(text, zone))
    assert node.dates()[1:] == [date(2026, 5, 4), date(2026, 5, 5)]


def test_one_taken_by_hand_that_day_will_do() -> None:
    zone = "Europe/Berlin"
    by_hand = manifest(date(2026, 5, 5), at("2026-05-05T00:30", zone))
    node = Node(schedule("0 2 * * *", zone), [by_hand])
    node.look(at("2026-05-05T02:00", zone))
    assert node.kept == [by_hand]


def test_of_a_weekly_one_that_was_missed_any_since_will_do() -> None:
    zone, sunday = "Asia/Kolkata", "2026-05-03T00:00"
    plan = schedule("@weekly", zone)
    assert plan.latest(at("2026-05-06T12:00", zone)) == Due(date(2026, 5, 3), at(sunday, zone))
    due = plan.latest(at("2026-05-06T12:00", zone))
    assert due.is_met_by(manifest(date(2026, 5, 5), at("2026-05-05T12:00", zone)), at("2026-05-06T12:00", zone))
    assert not due.is_met_by(manifest(date(2026, 5, 2), at("2026-05-02T12:00", zone)), at("2026-05-06T12:00", zone))


def test_a_clock_that_ran_ahead_for_a_while_costs_no_date() -> None:
    zone = "Europe/Berlin"
    node = Node(schedule("0 2 * * *", zone))
    for text in ("2026-05-05T03:00", "2026-05-12T03:00", "2026-05-05T04:00", "2026-05-06T03:00"):
        node.look(at(text, zone))
    assert node.dates() == [date(2026, 5, 5), date(2026, 5, 12), date(2026, 5, 6)]
    for day in range(7, 14):
        node.look(at(f"2026-05-{day:02}T03:00", zone))
    assert sorted(node.dates()) == list(days(date(2026, 5, 5), date(2026, 5, 13)))


def test_jitter_delays_each_date_by_its_own_share_the_same_after_a_restart() -> None:
    sharp, loose = schedule("0 2 * * *"), schedule("0 2 * * *", jitter=HOUR)
    now, delays = BEGIN, []
    for _ in range(50):
        one, other = sharp.next(now), loose.next(sharp.next(now).at - 1)
        assert other.day == one.day
        assert other == schedule("0 2 * * *", jitter=HOUR).next(other.at - 1)
        delays.append(other.at - one.at)
        now = one.at
    assert 0 <= min(delays) < HOUR / 4
    assert HOUR * 3 / 4 < max(delays) < HOUR


def test_tries_come_further_and_further_apart_up_to_an_hour() -> None:
    waits = [retry_after(failures) for failures in (1, 2, 3, 6, 7, 1000)]
    assert waits == [60, 120, 240, 1920, 3600, 3600]


# promise 22
@given(
    st.sampled_from([*ZONES, "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns"]),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from([0.0, 1800.0, 6 * HOUR]),
    st.integers(2009, 2030),
    st.lists(st.floats(1.0, 4 * DAY), min_size=2, max_size=60),
)
def test_whatever_the_schedule_and_the_restarts_each_date_has_one_and_no_night_is_made_up_for_twice(
    zone: str, hour: int, minute: int, jitter: float, year: int, steps: list[float]
) -> None:
    plan = schedule(f"{minute} {hour} * * *", zone, jitter)
    now = datetime(year, 1, 1, tzinfo=UTC).timestamp() + steps[0] * 90
    looks = [now]
    for step in steps:
        now += step
        looks.append(now)
    kept: list[Manifest] = []
    for look in looks:
        node = Node(plan, kept)  # a restart each time: nothing but the files is remembered
        before = len(kept)
        node.look(look)
        node.look(look)
        assert len(kept) - before <= 1
    dates = [each.date for each in kept]
    assert len(set(dates)) == len(dates)
    assert dates == sorted(dates)
    assert set(dates) == {plan.latest(look).day for look in looks}, "a date on which somebody looked has none"
    for one, other in pairwise(looks):
        passed = plan.next(one)
        if passed.at <= other:
            assert plan.latest(other).at >= passed.at
