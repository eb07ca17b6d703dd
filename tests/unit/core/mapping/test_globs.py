"""Patterns, held against git itself."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.mapping.globs import matcher, pattern_fault
from tests.support.repository import Repository

NAMES = st.sampled_from(("a", "b", "d", "ab", "a.y", "x-y", "]", "7"))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(
    ("a", "b", "d", "ab", "*", "**", "?", "*.y", "[ab]", "[!a]", "[a-c]*", "[]x]*", "[^]]", "[[:digit:]]", "\\a")
)
PATTERNS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(("", "", "!")),
    st.sampled_from(("", "/")),
    st.lists(PIECES, min_size=1, max_size=3).map("/".join),
    st.sampled_from(("", "/")),
    st.sampled_from(("", " ")),
)


def ignored_by_git(repository: Repository, patterns: list[str], paths: list[str]) -> set[str]:
    (repository.folder / ".git" / "info" / "exclude").write_text("".join(f"{pattern}\n" for pattern in patterns))
    asked = "".join(f"{path}\0" for path in paths)
    command = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, cwd=repository.folder, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.split("\0")) - {""}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("globs") / "repository")


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(PATTERNS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=12, unique=True))
def test_what_is_ignored_is_what_git_ignores(repository: Repository, patterns: list[str], paths: list[str]) -> None:
    matches = matcher(tuple(patterns))
    assert {path for path in paths if matches(path)} == ignored_by_git(repository, patterns, paths)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (("d/", "!d/y.yaml"), "d/y.yaml", True),
        (("d/*", "!d/y.yaml"), "d/y.yaml", False),
        (("d", "!/d"), "d/x", False),
        (("d", "!/d"), "d/d", True),
        (("a/**/b",), "a/b", True),
        (("a/**",), "a", False),
        (("a", "/**", "!a"), "a/b", True),
        (("a\\ ",), "a ", True),
        (("\\!a",), "!a", True),
        (("\\#a",), "#a", True),
        (("[[:upper:]]",), "A", True),
    ],
)
def test_a_folder_is_decided_before_what_is_in_it(patterns: tuple[str, ...], path: str, expected: bool) -> None:
    assert matcher(patterns)(path) is expected


@pytest.mark.parametrize("pattern", ["x\\", "[a", "[z-a]", "[[:vowel:]]", "a\\/"])
def test_what_git_would_never_match_is_refused(pattern: str) -> None:
    assert pattern_fault(pattern) == "not a pattern as in .gitignore"


def test_a_path_of_thousands_of_folders_is_no_trouble() -> None:
    assert matcher(("x/",))("a/" * 4000 + "x/y")
