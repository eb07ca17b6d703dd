"""How values are shown in the log: bounded, on one line, secrets never."""

import pytest
from structlog.testing import capture_logs

from syncd.core.control import Approval, Control, Pause
from syncd.core.errors import Conflict, Denied, Unreachable
from syncd.core.problems import Problem, TreeError
from syncd.daemon.outcome import Outcome
from syncd.daemon.report import Report, shown_value
from tests.support.planning import based, have, plan, record, tree


@pytest.mark.parametrize(
    ("value", "secret", "shown"),
    [
        (b"qwen2.5:3b", False, "qwen2.5:3b"),
        (b"", False, ""),
        (b"two\nlines", False, "two\\nlines"),
        (b"x" * 61, False, "x" * 60 + "\u2026"),
        (b"\xff\x00", False, "2 bytes, sha256:ea5d"),
        (b"password", True, "sha256:5e88"),
    ],
)
def test_a_value_is_shown_bounded_and_on_one_line(value: bytes, secret: bool, shown: str) -> None:
    found = shown_value(value, secret=secret)
    assert found == shown or (shown[-4:].isalnum() and found.startswith(shown))
    assert "\n" not in found
    assert len(found) < 80


def test_each_thing_is_told_once_and_its_end_too() -> None:
    report = Report("config/mordomo", "")
    with capture_logs() as logs:
        for _ in range(3):
            report.store_error(Denied("the token is refused", where="GET", hint="check it"))
        report.store_error(Unreachable("another trouble"))
        report.store_error(None)
        report.store_error(None)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("the token is refused", "error"),
        ("another trouble", "warning"),
        ("works again", "info"),
    ]


def test_a_lost_race_is_no_trouble() -> None:
    report = Report("config/mordomo", "")
    with capture_logs() as logs:
        report.store_error(Conflict("index is stale", where="transaction at x"))
        report.store_error(None)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("the store moved while it was written; planning again", "info")
    ]


def test_standing_by_and_pauses_are_told_once() -> None:
    report = Report("config/mordomo", "")
    with capture_logs() as logs:
        for outcome in (Outcome("standby", holder="a"), Outcome("standby", holder="b"), Outcome("paused")):
            report.outcome(outcome)
            report.outcome(outcome)
    assert [line["event"] for line in logs] == ["standing by", "standing by", "paused: nothing is written"]


def test_a_pause_says_who_ordered_it_how_to_go_on_and_when_it_is_over() -> None:
    report = Report("config/mordomo", " --address consul:8500")
    report.orders(Control(pause=Pause("Ana", 1, "a demo")))
    with capture_logs() as logs:
        for outcome in (Outcome("paused"), Outcome("paused"), Outcome("standby", holder="a")):
            report.outcome(outcome)
    paused, over, _ = logs
    assert (paused["event"], paused["by"], paused["why"]) == ("paused: nothing is written", "Ana", "a demo")
    assert paused["hint"] == "to go on: syncd resume --address consul:8500"
    assert over["event"] == "no longer paused"


def test_what_a_person_let_through_is_told_with_their_name() -> None:
    report = Report("config/mordomo", "")
    gone = {f"k{number}": have("1") for number in range(20)}
    refused = plan(tree(a="1"), gone, {key: based("1") for key in gone}, record=record())
    report.orders(Control(approval=Approval(refused.hash, "Ana", 1)))
    with capture_logs() as logs:
        report.outcome(Outcome("applied", refused.approve(refused.hash)))
    said = [logs[0][field] for field in ("event", "lifts", "by", "plan")]
    assert said == ["approved", "mass-delete", "Ana", refused.hash]


def test_problems_of_a_tree_are_named_as_they_come() -> None:
    report = Report("config/mordomo", "")
    problem = Problem("error", "duplicate-key", "brain.yaml", 2, 1, "twice")
    with capture_logs() as logs:
        report.source_error(TreeError((problem,), commit="b" * 40).below("config/mordomo"))
    assert logs[0]["at"] == "config/mordomo/brain.yaml:2:1"


def test_edits_are_told_as_often_as_they_change() -> None:
    report = Report("config/mordomo", "")
    with capture_logs() as logs:
        for edits in ((), ("a",), ("a",), tuple("abcdefg"), (), ("a",)):
            report.edits(edits)
    root = "config/mordomo"
    assert [line.get("files", line["event"]) for line in logs] == [
        f"{root}/a",
        ", ".join(f"{root}/{name}" for name in "abcde") + " and 2 more",
        "no uncommitted edits are left",
        f"{root}/a",
    ]
