"""How things stand, at one glance."""

import io
from typing import Any

import pytest

from syncd.cli.standing import Drift, Live, Next, Ordered, Standing, Tip
from syncd.cli.status_text import status_lines
from syncd.core.desired import Commit
from syncd.core.problems import Problem
from syncd.core.record import Applied, Applying
from syncd.core.saved import SavedRefusal

NOW = 1_000_000.0
COMMIT = Commit("b" * 40, "main", "Ana", "Try", int(NOW) - 300)
APPLIED = Applied("a" * 40, "main", "Bo", "Start", int(NOW) - 7200, 3, "0" * 64)


def tip(**fields: Any) -> Tip:
    given: dict[str, Any] = {
        "repository": "/r",
        "path": "config",
        "branch": "main",
        "commit": COMMIT,
        "keys": 4,
        "problems": (),
        "edits": (),
    }
    return Tip(**{**given, **fields})


def live(**fields: Any) -> Live:
    given: dict[str, Any] = {
        "store": "Consul 1.17.0 at http://c:8500",
        "address": "http://c:8500",
        "place": " --address c:8500",
        "prefix": "config",
        "applied": APPLIED,
        "applying": None,
        "relation": "descendant",
        "ahead": None,
        "holder": "host (pid 3)",
        "orders": Ordered(),
        "marked": 3,
        "foreign": 0,
        "base": "git",
        "drift": Drift(True),
        "next": Next({"update": 1}, 0, 0, (), ""),
    }
    return Live(**{**given, **fields})


def shown(standing: Standing) -> list[str]:
    return list(status_lines(standing, NOW, io.StringIO()))


def test_everything_at_one_glance() -> None:
    assert shown(Standing(tip(), live())) == [
        "source   /r, branch main, config",
        "tip      bbbbbbb 'Try' by Ana, 5 minutes ago: 4 keys, valid",
        "store    Consul 1.17.0 at http://c:8500; config: 3 marked",
        "applied  aaaaaaa 'Start' by Bo, 2 hours ago; the tip is newer",
        "lease    held by host (pid 3)",
        "drift    none",
        "next     update 1",
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"relation": "same"}, "applied  aaaaaaa 'Start' by Bo, 2 hours ago; the tip is applied"),
        ({"relation": None}, "applied  aaaaaaa 'Start' by Bo, 2 hours ago"),
        ({"applied": None}, "applied  nothing yet"),
        ({"holder": None}, "lease    nobody leads"),
        (
            {"holder": None, "next": Next({}, 0, 0, (SavedRefusal("rewritten", "x", "y"),), "")},
            "lease    nobody leads (what is refused needs no leader)",
        ),
        (
            {"applying": Applying("c" * 40, int(NOW) - 1, "x")},
            "applying ccccccc, begun 1 second ago; whoever leads finishes it first",
        ),
        ({"orders": Ordered("Ana", "a demo")}, "orders   paused by Ana: a demo; nothing is written"),
        (
            {"orders": Ordered(approved="12", approved_by="Ana"), "next": Next({"delete": 1}, 0, 0, (), "12")},
            "orders   plan 12 is approved by Ana",
        ),
        ({"foreign": 2}, "store    Consul 1.17.0 at http://c:8500; config: 3 marked, 2 foreign"),
        (
            {"drift": Drift(True, 12, tuple("abcdefghij"))},
            "drift    12 keys: a, b, c, d, e, f, g, h, i, j and 2 more; syncd drift --address c:8500 shows more",
        ),
        ({"drift": Drift(False), "base": "none"}, "drift    nothing is applied"),
        (
            {"drift": Drift(False), "base": "marks"},
            "drift    not known (only marks tell which keys are syncd's: git has lost the applied commit)",
        ),
        ({"next": Next({}, 0, 0, (), "")}, "next     nothing to do"),
        ({"next": Next({}, 2, 1, (), "")}, "next     2 waiting for an approval, 1 left as they are"),
        ({"next": Next({}, 0, 0, (SavedRefusal("empty", "no key", "x"),), "")}, "refused  no key [empty]"),
        (
            {"next": Next({}, 0, 0, (), "12")},
            f"{'':9}syncd plan --address c:8500 shows it; to let it through: syncd apply --approve 12 --address c:8500",
        ),
    ],
)
def test_each_fact_has_its_line(fields: dict[str, Any], line: str) -> None:
    assert line in shown(Standing(tip(), live(**fields)))


@pytest.mark.parametrize("following", [None, Next({}, 0, 0, (), ""), Next({"delete": 1}, 0, 0, (), "34")])
def test_an_approval_that_nothing_waits_for_is_left_out(following: Next | None) -> None:
    orders = Ordered(approved="12", approved_by="Ana")
    assert "approved" not in "\n".join(shown(Standing(tip(), live(orders=orders, next=following))))


def test_a_refused_plan_without_changes_is_not_nothing_to_do() -> None:
    refused = Next({}, 0, 0, (SavedRefusal("empty", "no key", "x"),), "")
    assert "next" not in "\n".join(shown(Standing(tip(), live(next=refused))))


def test_an_older_or_rewritten_tip_stands_out() -> None:
    assert "the tip is OLDER" in "\n".join(shown(Standing(tip(), live(relation="behind"))))
    assert "history was rewritten" in "\n".join(shown(Standing(tip(), live(relation="rewritten"))))


def test_edits_that_are_not_committed_say_what_to_do() -> None:
    lines = shown(Standing(tip(edits=("brain.yaml",)), live()))
    assert "edits    brain.yaml: not committed, so not applied; commit, or use --worktree" in lines


def test_an_invalid_tip_shows_its_first_problems() -> None:
    problem = Problem("error", "duplicate-key", "brain.yaml", 2, 1, "twice")
    lines = shown(Standing(tip(problems=(problem,)), live(next=None)))
    assert lines[1:3] == [
        "tip      bbbbbbb is invalid and changes nothing; the first problems of syncd validate:",
        "         brain.yaml:2:1: twice",
    ]


def test_a_tip_without_keys_is_told() -> None:
    assert shown(Standing(tip(keys=0, path=""), live()))[:2] == [
        "source   /r, branch main, the whole tree",
        "tip      bbbbbbb 'Try' by Ana, 5 minutes ago: 0 keys, valid, and without a single key",
    ]


def test_a_store_that_does_not_answer_leaves_the_git_half() -> None:
    lines = shown(Standing(tip(), None, "nothing answers"))
    assert lines[-1] == "store    nothing answers"
    assert len(lines) == 3


def test_a_newer_tip_says_by_how_many_commits() -> None:
    assert "the tip is 3 commits newer" in "\n".join(shown(Standing(tip(), live(ahead=3))))


def test_edits_that_were_applied_are_not_said_to_be_missing() -> None:
    edited = Applied("b" * 40, "main", "Ana", "Try", int(NOW) - 300, 4, "0" * 64, worktree=True)
    lines = shown(Standing(tip(edits=("a.yaml",)), live(applied=edited, relation="same", base="state")))
    assert (
        "edits    a.yaml: not committed; the store holds edits, by apply --worktree, until a commit is applied" in lines
    )
    assert "applied  bbbbbbb+ 'Try' by Ana, 5 minutes ago; the tip's commit, with edits" in lines
    assert "drift    none (known from the state directory: the applied edits were never committed)" in lines
