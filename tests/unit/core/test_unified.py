"""Patches as ``git diff`` writes them: the real git takes them, and what it makes is exact."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.unified import file_patch

CASES = [
    (b"a\nb\nc\n", b"a\nB\nc\n"),
    (b"a\nb", b"a\nb\n"),
    (b"a\nb\n", b"a\nb"),
    (b"a\r\nb\r\n", b"a\r\nB\r\n"),
    (b"x\x0by\x0cz\n", b"x\x0bY\x0cz\n"),
    ("caf\u00e9\u2028\n".encode(), "th\u00e9\u2028\n".encode()),
    (b"", b"a\n"),
    (b"a\n", b""),
    (b"".join(b"%d\n" % number for number in range(40)), b"".join(b"%d\n" % (number or 7) for number in range(1, 39))),
    (b"--- a\n+++ b\n@@ -1 +1 @@\n", b"--- a\n+++ c\n"),
]


def patch(name: str, old: bytes, new: bytes | None) -> bytes:
    made = file_patch(name.encode(), old, new)
    assert made is not None
    return made


def git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    git(folder, "init", "-q")
    return folder


def applied(folder: Path, name: str, old: bytes, new: bytes | None) -> bytes | None:
    """Let git apply a patch to a file; return what is there then."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(old)
    git(folder, "apply", "--whitespace=nowarn", "-", stdin=patch(name, old, new))
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize(("old", "new"), CASES)
def test_git_makes_of_it_what_was_meant(folder: Path, old: bytes, new: bytes) -> None:
    assert applied(folder, "config/f.yaml", old, new) == new


@pytest.mark.parametrize(
    "name", ["a b.txt", "caf\u00e9.txt", 'say "hi".txt', "back\\slash.txt", "tab\there.txt", "x y/z"]
)
def test_git_understands_every_name(folder: Path, name: str) -> None:
    assert applied(folder, name, b"a\n", b"b\n") == b"b\n"


@pytest.mark.parametrize("old", [b"a\nb\n", b"a", b""])
def test_a_file_can_go(folder: Path, old: bytes) -> None:
    assert applied(folder, "gone here.txt", old, None) is None


def test_nothing_changed_is_no_patch() -> None:
    assert file_patch(b"a", b"x\n", b"x\n") == b""


def test_hidden_lines_are_context_of_no_patch() -> None:
    old, new = b"1\n2\n3\n4\n5\n", b"1\n2\nx\n4\n5\n"
    assert file_patch(b"f", old, new, {0, 4}) == (
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -2,3 +2,3 @@\n 2\n-3\n+x\n 4\n"
    )
    assert file_patch(b"f", old, new, {3}) is None


@pytest.mark.parametrize("name", ["f.yaml", "a b.txt", 'q"\u00e9.txt'])
@pytest.mark.parametrize(("old", "new"), CASES)
def test_it_reads_as_git_would_have_written_it(folder: Path, tmp_path: Path, name: str, old: bytes, new: bytes) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / name).write_bytes(old)
    git(tmp_path, "add", "-A")
    (tmp_path / name).write_bytes(new)
    shown = git(tmp_path, "diff", "--no-color", "--no-ext-diff").splitlines(keepends=True)
    said = [line for line in shown if not line.startswith(b"index ")]
    ours = patch(name, old, new).splitlines(keepends=True)
    assert ours == [_without_heading(line) for line in said]


def _without_heading(line: bytes) -> bytes:
    """Drop the line of context that git puts behind a hunk's numbers."""
    return line[: line.rindex(b"@@") + 2] + b"\n" if line.startswith(b"@@ ") else line


LINES = st.lists(st.sampled_from([b"a", b"b", b"c", b"- a", b"+", b"\\ x", b"\r"]), max_size=12)


@settings(max_examples=30, deadline=None)
@given(LINES, LINES, st.booleans(), st.booleans())
def test_any_two_contents(folder: Path, old: list[bytes], new: list[bytes], one: bool, other: bool) -> None:
    before = b"\n".join(old) + b"\n" * (one and bool(old))
    after = b"\n".join(new) + b"\n" * (other and bool(new))
    if before != after:
        assert applied(folder, "any.txt", before, after) == after
