"""What is told of a failure, and that it is told once."""

from msgspec.structs import replace

from syncd.core.snapshots.failing import Failure, note

FAILED = Failure("snapshot", "failed", "2026-05-05", 1, "node a", "no space left")


def test_each_date_and_cause_is_told_once() -> None:
    told = note("", FAILED)
    assert told is not None
    assert note(told, FAILED) is None
    assert note(told, replace(FAILED, why="another reason")) is None
    late = note(told, replace(FAILED, cause="late"))
    assert late is not None
    assert note(late, FAILED) is None, "both are remembered"
    drill = note(late, replace(FAILED, what="drill"))
    assert drill is not None
    assert note(drill, FAILED) is None
    assert note(drill, replace(FAILED, date="2026-05-06")) is not None


def test_the_note_does_not_grow() -> None:
    told = ""
    for day in range(1, 29):
        noted = note(told, replace(FAILED, date=f"2026-05-{day:02}"))
        assert noted is not None
        told = noted
    assert len(told) < 64
