"""Text that people see on a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.text import did_you_mean, printable, unreadable


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("pt_BR é 日 'x'\\n") == "pt_BR é 日 'x'\\n"


def test_the_rest_is_escaped_readably() -> None:
    assert printable("a\nb\x1b[2J\udcff") == "a\\nb\\x1b[2J\\udcff"


def test_whoever_may_not_read_a_secret_is_told_how_the_service_gets_it() -> None:
    assert unreadable(FileNotFoundError(2, "No such file or directory")) == "No such file or directory"
    assert unreadable(OSError()) == "it cannot be read"
    told = unreadable(PermissionError(13, "Permission denied"))
    assert told.startswith("Permission denied; ")
    assert "LoadCredential" in told


def test_what_was_meant_is_a_close_name_or_the_same_word_elsewhere() -> None:
    known = ["store.prefix", "source.path"]
    assert did_you_mean("store.prefx", known) == " (did you mean store.prefix?)"
    assert did_you_mean("path", known) == " (did you mean source.path?)"
    assert did_you_mean("x", known) == ""
