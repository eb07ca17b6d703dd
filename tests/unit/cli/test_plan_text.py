"""A plan as people see it."""

import io
from typing import Any

import pytest

from syncd.cli.plan_text import approval_lines, plan_lines, refusal_lines
from syncd.core.desired import Commit
from syncd.core.guards import Guard, Refusal
from syncd.core.history import Relation
from syncd.core.saved import SavedChange, SavedLeft, SavedPlan, SavedValue
from tests.support.planning import THEIRS, have, record, want
from tests.support.planning import plan as planned
from tests.support.terminal import Terminal

COMMIT = Commit("b" * 40, author="Ana", message="Try\n\nmore")


def value(text: str) -> SavedValue:
    return SavedValue(text=text)


def change(operation: str, before: SavedValue | None, after: SavedValue | None, **more: Any) -> SavedChange:
    at = "brain.yaml:1:1" if after else None
    return SavedChange(operation, "brain/model", 7, before, after, at, **more)


def plan(*changes: SavedChange, **fields: Any) -> SavedPlan:
    given: dict[str, Any] = {
        "format": 1,
        "source": "config",
        "prefix": "config",
        "applied": "a" * 40,
        "applied_worktree": False,
        "commit": "b" * 40,
        "worktree": False,
        "record_index": 3,
        "hash": "0123456789abcdef",
        "counts": {},
        "changes": changes,
        "withheld": (),
        "left": (),
        "refusals": (),
        "base": "git",
        **fields,
    }
    return SavedPlan(**given)


def shown(*changes: SavedChange, **fields: Any) -> list[str]:
    return list(plan_lines(plan(*changes, **fields), COMMIT, io.StringIO()))


def test_the_heading_names_both_commits() -> None:
    assert shown()[0] == "bbbbbbb 'Try' by Ana; config holds aaaaaaa"
    assert shown(applied=None, prefix="")[0] == "bbbbbbb 'Try' by Ana; (root) holds nothing of syncd's yet"


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (change("create", None, value("1")), "+ create   brain/model  1  (brain.yaml:1:1)"),
        (change("update", value("1"), value("2")), "~ update   brain/model  1 → 2  (brain.yaml:1:1)"),
        (change("takeover", value("1"), value("2")), "! takeover brain/model  1 → 2  (brain.yaml:1:1)"),
        (
            change("mark", value("1"), value("1")),
            "* mark     brain/model  value is right, takes the mark  (brain.yaml:1:1)",
        ),
        (
            change("mark", value("1\n2\n"), value("1\n2\n")),
            "* mark     brain/model  value is right, takes the mark  (brain.yaml:1:1)",
        ),
        (change("release", value("1"), None), "> release  brain/model  1"),
        (change("delete", value("1"), None), "- delete   brain/model  1"),
        (change("update", value(""), value(" x")), "~ update   brain/model  '' → ' x'  (brain.yaml:1:1)"),
        (
            change("update", SavedValue(hash="sha256:1"), SavedValue(hash="sha256:2")),
            "~ update   brain/model  sha256:1 → sha256:2  (brain.yaml:1:1)",
        ),
        (
            change("create", None, SavedValue(base64=b"\xff\x00")),
            "+ create   brain/model  (2 bytes, sha256:ea5dbf9596d1)  (brain.yaml:1:1)",
        ),
        (change("create", None, value("\x1b[2J")), "+ create   brain/model  '\\x1b[2J'  (brain.yaml:1:1)"),
    ],
)
def test_a_change_is_one_line_with_old_and_new_value_and_place(made: SavedChange, line: str) -> None:
    assert shown(made)[1] == line


def test_several_lines_are_shown_as_a_difference() -> None:
    before, after = "one\ntwo\nthree\n", "one\nzwei\nthree\n"
    assert shown(change("update", value(before), value(after)))[1:-1] == [
        "~ update   brain/model  (brain.yaml:1:1)",
        "    @@ -1,3 +1,3 @@",
        "     one",
        "    -two",
        "    +zwei",
        "     three",
    ]


def test_a_difference_in_line_ends_alone_is_visible() -> None:
    assert shown(change("update", value("a\n"), value("a\r\n")))[2:4] == ["    - 'a\\n'", "    + 'a\\r\\n'"]


def test_long_values_are_cut() -> None:
    lines = shown(change("create", None, value("x" * 500)))
    assert lines[3] == f"    +{'x' * 119}… (500 characters)"
    lines = shown(change("create", None, value("x\n" * 500)))
    assert lines[-2] == "    … and 441 more lines"


def test_what_waits_and_what_is_left_is_told_with_its_reason() -> None:
    waiting = change("delete", value("1"), None, why="orphan")
    lines = shown(withheld=(waiting,), left=(SavedLeft("tts/voice", "prune"),))
    assert lines[1] == "? delete   brain/model  1  [somebody changed it since; deleted only with an approval]"
    assert lines[2] == "= left     tts/voice  [gone from the tree; stays because of prune: false]"
    assert lines[3] == "Plan: 1 waiting for an approval, 1 left."


def test_a_refusal_says_why_and_what_to_do() -> None:
    lines = list(refusal_lines((Refusal(Guard.MASS_DELETE, "too many", "look"),), io.StringIO()))
    assert lines == ["refused: too many [mass-delete]", "  hint: look"]


def test_what_waits_for_a_person_is_let_through_at_the_same_store() -> None:
    waiting = planned({"a": want("new")}, {"a": have("theirs", THEIRS)}, record=record())
    said = f"To let exactly this plan through: syncd apply --approve {waiting.hash}"
    assert list(approval_lines(waiting, "")) == [said]
    assert list(approval_lines(waiting, " --address 127.0.0.1:8600")) == [f"{said} --address 127.0.0.1:8600"]


def test_what_nobody_can_or_need_approve_offers_no_approval() -> None:
    ordinary = planned({"a": want("new")}, {}, record=record())
    older = planned({"a": want("new")}, {}, record=record(), relation=Relation.BEHIND)
    assert list(approval_lines(ordinary, "")) == list(approval_lines(older, "")) == []


def test_a_terminal_gets_no_more_than_a_person_reads() -> None:
    many = plan(*[change("create", None, value("1"))] * 5_000, left=(SavedLeft("tts/voice", "prune"),) * 5_000)
    lines = list(plan_lines(many, COMMIT, io.StringIO(), 200))
    assert len(lines) == 1 + 200 + 1 + 200 + 1 + 1
    assert lines[201] == lines[402] == "… and 4,800 more; --output json, or a pipe, shows all"
    assert len(list(plan_lines(many, COMMIT, io.StringIO()))) == 10_002


def test_the_summary_counts_each_kind() -> None:
    counts = {"create": 2, "update": 1, "mark": 1, "takeover": 1, "release": 1, "delete": 1_000}
    said = "2 to create, 1 to update, 1 to mark, 1 to take over, 1 to release, 1,000 to delete"
    assert shown(counts=counts)[-1] == f"Plan: {said}."


def test_no_changes_say_what_the_store_holds() -> None:
    assert shown(applied="b" * 40)[-1] == "No changes. The store holds bbbbbbb."
    assert shown(applied="b" * 40, applied_worktree=True)[-1].endswith("only notes that the store holds bbbbbbb.")
    edited = shown(applied="b" * 40, applied_worktree=True, worktree=True)
    assert edited[-1] == "No changes. The store holds bbbbbbb+."
    assert edited[0].endswith("config holds bbbbbbb+")
    assert shown()[-1] == "No changes to keys; an apply only notes that the store holds bbbbbbb."


def test_a_base_that_is_not_from_git_is_told() -> None:
    assert "only marks tell" in shown(base="marks")[1]
    assert "git no longer has the applied commit" in shown(base="state")[1]
    assert "the applied edits were never committed" in shown(base="state", applied_worktree=True)[1]


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lines = list(plan_lines(plan(change("create", None, value("1"))), COMMIT, Terminal()))
    assert lines[1].startswith("\x1b[32m+ create")
