"""Drift for people: every word that can stand there."""

import io
from typing import Any

import pytest

from syncd.cli.drift_text import DriftedKey, Found, drift_lines, patch_lines
from syncd.core.keeping import Drifted, Patch, Unpatched
from syncd.core.saved import SavedValue


def key(**fields: Any) -> DriftedKey:
    given: dict[str, Any] = {"key": "a", "git": SavedValue("1"), "live": SavedValue("2"), "at": "c/a.yaml:1:1"}
    return DriftedKey(**{**given, "tip": "same", **fields})


def shown(*drift: DriftedKey, prefix: str = "config", applied: str | None = "a" * 40, **fields: Any) -> list[str]:
    found = Found(prefix, applied, fields.pop("worktree", False), fields.pop("applying", None), drift)
    return list(drift_lines(found, "", io.StringIO()))


@pytest.mark.parametrize(
    ("drifted", "line"),
    [
        (key(), "~ changed  a  1 → 2  (c/a.yaml:1:1)"),
        (key(live=None), "- deleted  a  1  (c/a.yaml:1:1)"),
        (key(live=SavedValue("")), "~ changed  a  1 → ''  (c/a.yaml:1:1)"),
        (key(at=None, git=SavedValue(hash="sha256:12")), "~ changed  a  sha256:12 → 2"),
        (key(tip="other"), "~ changed  a  1 → 2  (c/a.yaml:1:1)  [the newest commit itself changes it]"),
        (key(tip="live"), "~ changed  a  1 → 2  (c/a.yaml:1:1)  [the newest commit says so, too]"),
        (key(key="a\x1b"), "~ changed  a\\x1b  1 → 2  (c/a.yaml:1:1)"),
    ],
)
def test_each_key_has_its_line(drifted: DriftedKey, line: str) -> None:
    assert shown(drifted)[0] == line


def test_long_values_are_shown_like_a_diff() -> None:
    assert shown(key(git=SavedValue("x\ny\n"), live=SavedValue("x\nz\n")))[:5] == [
        "~ changed  a  (c/a.yaml:1:1)",
        "    @@ -1,2 +1,2 @@",
        "     x",
        "    -y",
        "    +z",
    ]


def test_the_end_says_what_it_is_told_from_and_how_to_keep_it() -> None:
    assert shown(applied=None) == ["Nothing is applied yet, so nothing can have drifted."]
    assert shown(prefix="") == ["No drift: the store holds what commit aaaaaaa says."]
    assert shown(applying="b" * 40)[0] == "Commit bbbbbbb is being applied; what it has written is no drift."
    assert shown(key(), key(), key(live=None), worktree=True)[-2:] == [
        "Drift: 2 keys changed, 1 key deleted in config since commit aaaaaaa+ was applied.",
        "To keep it: syncd drift --patch | git apply, then commit.",
    ]
    assert shown(key(tip="live"))[-1].startswith("Drift: 1 key changed in config"), "it is kept already"


def test_what_is_not_in_a_patch_is_named_even_where_nobody_knows_its_place() -> None:
    lost = Drifted("a", None, b"", None, None, secret=False, tip="other")
    left = Patch(b"", (Unpatched(lost, "the newest commit itself changes it"),))
    assert list(patch_lines(left, "config", io.StringIO())) == [
        "not in the patch: a: the newest commit itself changes it; change it by hand"
    ]
    assert list(patch_lines(Patch(b"x", ()), "config", io.StringIO())) == []
