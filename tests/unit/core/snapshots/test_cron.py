"""Cron expressions, with the usual meaning of their fields."""

import re
from datetime import date, timedelta

import pytest

from syncd.core.snapshots.cron import parse_cron

YEAR = [date(2026, 1, 1) + timedelta(number) for number in range(365)]


def on(text: str) -> list[date]:
    cron = parse_cron(text)
    return [day for day in YEAR if cron.on(day)]


def weekdays(text: str) -> set[str]:
    return {f"{day:%a}" for day in on(f"0 2 * * {text}")}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0", {"Sun"}),
        ("7", {"Sun"}),
        ("1", {"Mon"}),
        ("sun", {"Sun"}),
        ("MON-fri", {"Mon", "Tue", "Wed", "Thu", "Fri"}),
        ("1-5", {"Mon", "Tue", "Wed", "Thu", "Fri"}),
        ("5-7", {"Fri", "Sat", "Sun"}),
        ("fri-sun", {"Fri", "Sat", "Sun"}),
        ("sun-tue", {"Sun", "Mon", "Tue"}),
        ("1,3,sat", {"Mon", "Wed", "Sat"}),
        ("*/2", {"Sun", "Tue", "Thu", "Sat"}),
        ("1-6/2", {"Mon", "Wed", "Fri"}),
        ("*", {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}),
    ],
)
def test_weekdays_are_those_of_cron_and_sunday_is_0_and_7(text: str, named: set[str]) -> None:
    assert weekdays(text) == named


def test_day_and_month_are_numbers_or_names() -> None:
    assert on("0 2 1 * *") == [date(2026, month, 1) for month in range(1, 13)]
    assert on("0 2 */15 jan,3 *") == [date(2026, month, day) for month in (1, 3) for day in (1, 16, 31)]
    assert len(on("0 2 * dec *")) == 31


def test_with_both_a_day_and_a_weekday_either_will_do() -> None:
    assert on("0 2 13 2 fri") == [date(2026, 2, day) for day in (6, 13, 20, 27)]
    assert on("0 2 1 2 fri") == [date(2026, 2, day) for day in (1, 6, 13, 20, 27)]
    assert on("0 2 */2 2 fri") == [date(2026, 2, day) for day in (13, 27)], "a * with a step restricts nothing away"


@pytest.mark.parametrize(
    ("nickname", "fields"),
    [
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@Weekly", "0 0 * * sun"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_nicknames_stand_for_five_fields(nickname: str, fields: str) -> None:
    assert parse_cron(nickname) == parse_cron(fields)


def test_the_time_is_one_minute_of_one_hour() -> None:
    cron = parse_cron(" 30  2 * * * ")
    assert (cron.hour, cron.minute) == (2, 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "five fields"),
        ("0 2 * *", "five fields"),
        ("@hourly", "@daily"),
        ("@reboot", "@daily"),
        ("*/15 2 * * *", "once a day at most"),
        ("0 2,14 * * *", "once a day at most"),
        ("60 2 * * *", "0 to 59"),
        ("0 24 * * *", "0 to 23"),
        ("0 2 0 * *", "1 to 31"),
        ("0 2 * 13 *", "1 to 12"),
        ("0 2 * * 8", "0 to 7"),
        ("0 2 * * so", "0 to 7"),
        ("0 2 * * fri-mon", "ends before it begins"),
        ("0 2 *-3 * *", "a range already"),
        ("0 2 5/2 * *", "5-31/2"),
        ("0 2 */0 * *", "step of 0"),
        ("0 2 1,,2 * *", "cannot be read"),
        ("0 2 1- * *", "cannot be read"),
        ("0 2 ٣ * *", "cannot be read"),
        ("0 2 30 2 *", "never comes"),
        ("0 2 31 2,4,jun *", "never comes"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_cron(text)


def test_a_leap_day_comes() -> None:
    assert parse_cron("0 2 29 2 *").on(date(2028, 2, 29))
