"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.settings.durations import parse_duration, render_duration


@given(st.integers(min_value=0, max_value=10**9))
def test_reading_inverts_writing(milliseconds: int) -> None:
    assert parse_duration(render_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (15, "15s"), (600, "10m"), (5400, "1h30m"), (0.5, "500ms"), (86400, "1d")]
)
def test_a_duration_is_written_short(seconds: float, text: str) -> None:
    assert render_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "15", "s", "1 s", "-1s", "1x", "1.s", "1s2", "\u0661s"])
def test_what_is_doubtful_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
