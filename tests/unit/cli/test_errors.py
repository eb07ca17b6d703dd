"""How errors look."""

import io

import pytest

from syncd.cli.errors import render_error, render_problems
from syncd.core.errors import Denied, SettingsError, SyncdError
from syncd.core.problems import Problem, TreeError
from tests.support.terminal import Terminal


def told(error: SyncdError, stream: io.StringIO | None = None) -> str:
    return "\n".join(render_error(error, stream or io.StringIO()))


def problem(message: str = "is odd", snippet: str = "", line: int = 0, column: int = 0) -> Problem:
    return Problem("error", "odd", "a.yaml", line, column, message, snippet=snippet)


def test_an_error_says_what_where_and_what_to_do() -> None:
    error = Denied("the token may not write", where="http://127.0.0.1:8500", hint="see acl-policy")
    assert told(error) == "error: the token may not write\n  at http://127.0.0.1:8500\n  hint: see acl-policy"


def test_what_is_not_known_is_left_out() -> None:
    assert told(SyncdError("it failed")) == "error: it failed"


def test_a_message_of_several_lines_is_indented() -> None:
    assert told(SyncdError("git said\nfatal: no")) == "error: git said\n  fatal: no"


def test_a_terminal_gets_colour_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(SyncdError("it failed"), Terminal()) == "\x1b[31m\x1b[1merror:\x1b[0m it failed"
    monkeypatch.setenv("NO_COLOR", "1")
    assert told(SyncdError("it failed"), Terminal()) == "error: it failed"


def test_nothing_in_an_error_can_steer_a_terminal() -> None:
    error = SyncdError("a\x1b[2Jb", where="c\x1b]0;d", hint="e\rf")
    assert told(error) == "error: a\\x1b[2Jb\n  at c\\x1b]0;d\n  hint: e\\rf"


def test_every_bad_setting_is_listed() -> None:
    error = SettingsError(("--prefix: bad", "syncd.toml:1:1: worse"), hint="read")
    assert told(error) == "error: 2 settings cannot be used\n  --prefix: bad\n  syncd.toml:1:1: worse\n  hint: read"


def test_every_problem_of_a_tree_is_shown_with_a_caret() -> None:
    error = TreeError((problem("is odd", "model: [", 2, 8), problem("is old")), commit="0123456789")
    assert told(error).splitlines() == [
        "error: is odd",
        "  at a.yaml:2:8",
        "  2 | model: [",
        "    |        ^",
        "error: is old",
        "  at a.yaml",
        "error: the tree at 0123456 is invalid: 2 problems",
    ]


def test_a_caret_points_at_its_character_behind_wide_tabs_and_combining_ones() -> None:
    (_, _, line, caret) = render_problems((problem(snippet="\t日e\u0301 x\x1b", line=12, column=6),), io.StringIO())
    assert line == "  12 |  日e\u0301 x "
    assert caret == "     |      ^"


def test_a_long_line_is_shown_around_its_caret() -> None:
    snippet = "a" * 5000 + "X" + "b" * 5000
    (_, _, line, caret) = render_problems((problem(snippet=snippet, line=1, column=5001),), io.StringIO())
    assert len(line) < 120
    assert line[caret.index("^")] == "X"


def test_a_warning_is_called_one() -> None:
    warning = Problem("warning", "odd", "a.yaml", 1, 1, "is odd", hint="mend it")
    assert list(render_problems((warning,), io.StringIO())) == [
        "warning: is odd",
        "  at a.yaml:1:1",
        "  hint: mend it",
    ]
