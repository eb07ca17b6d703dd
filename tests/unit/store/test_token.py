"""A token in a file may be replaced while syncd runs."""

import os
from pathlib import Path

import pytest

from syncd.store.token import FileToken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


def test_a_token_does_not_show_itself(file: Path) -> None:
    assert repr(FileToken(file)) == f"FileToken('{file}')"


def test_a_changed_file_is_read_again(file: Path) -> None:
    token = FileToken(file)
    assert token.current() == "one"
    file.write_text("second")
    assert token.current() == "second"


def test_a_file_put_in_the_place_of_another_is_read(file: Path) -> None:
    token = FileToken(file)
    other = file.with_suffix(".new")
    other.write_text("two\n")
    other.replace(file)
    assert token.current() == "two"


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "a b", "ü"])
def test_a_file_that_is_damaged_for_a_moment_leaves_the_last_token(file: Path, text: str) -> None:
    token = FileToken(file)
    file.write_text(text)
    assert token.current() == "one"
    file.write_text("two!")
    assert token.current() == "two!"


def test_a_file_that_is_missing_for_a_moment_leaves_the_last_token(file: Path) -> None:
    token = FileToken(file)
    file.unlink()
    assert token.current() == "one"
    assert not token.refresh()
    file.write_text("two")
    assert token.current() == "two"


def test_a_refusal_reads_the_file_whatever_its_time_stamp_says(file: Path) -> None:
    token = FileToken(file)
    before = file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert token.current() == "one"
    assert token.refresh()
    assert token.current() == "two"
    assert not token.refresh()
