"""Text that people see on a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.text import printable


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("pt_BR é 日 'x'\\n") == "pt_BR é 日 'x'\\n"


def test_the_rest_is_escaped_readably() -> None:
    assert printable("a\nb\x1b[2J\udcff") == "a\\nb\\x1b[2J\\udcff"
