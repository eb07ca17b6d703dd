"""What a drill finds."""

from syncd.core import live
from syncd.core.snapshots.drilling import Drilled, judge
from syncd.core.snapshots.records import Entry


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
