"""What a drill finds."""

from datetime import date

import pytest
from msgspec.structs import replace

from syncd.core import live
from syncd.core.snapshots.drilling import Drilled, Passed, decode, encode, judge
from syncd.core.snapshots.records import Entry
from syncd.core.snapshots.schedule import Due

PASSED = Passed(date=date(2026, 5, 3), ended=100, file="a.snap", taken=50, keys=3, store="Consul", seconds=1.5)


def test_keys_are_compared_by_value_and_flags() -> None:
    entries = [Entry("same", b"1"), Entry("value", b"1"), Entry("flags", b"1", flags=2), Entry("gone", b"")]
    found = {
        "same": live.Entry(b"1", 0, 9),
        "value": live.Entry(b"2", 0, 9),
        "flags": live.Entry(b"1", 0, 9),
        "more": live.Entry(b"", 0, 9),
    }
    drilled = judge(entries, found)
    assert drilled == Drilled(1, ("gone",), ("flags", "value"), ("more",))
    assert not drilled.sound


def test_a_name_that_is_not_utf_8_is_compared_as_it_is_shown() -> None:
    assert judge([Entry("a\udcff", b"1")], {"a\ufffd": live.Entry(b"1", 0, 9)}).sound


def test_what_is_noted_of_a_drill_reads_back() -> None:
    assert decode(encode(PASSED)) == PASSED
    assert b'"date":"2026-05-03"' in encode(PASSED)


@pytest.mark.parametrize("text", [None, b"", b"\xff", b"{}", encode(replace(PASSED, format=2)), b"[" * 100_000])
def test_what_cannot_be_read_is_no_drill(text: bytes | None) -> None:
    assert decode(text) is None


def test_one_for_that_date_or_since_then_will_do() -> None:
    assert PASSED.meets(Due(date(2026, 5, 3), 999.0), 2000.0), "for that date, whenever it ended"
    assert PASSED.meets(Due(date(2026, 5, 4), 100.0), 2000.0)
    assert not PASSED.meets(Due(date(2026, 5, 4), 101.0), 2000.0)
    assert not PASSED.meets(Due(date(2026, 5, 4), 90.0), 99.0), "a clock that ran ahead"
