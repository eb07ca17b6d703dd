"""What a status means, and how long a subscriber may ask to be left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.fanout.sender import Result
from syncd.fanout.webhook.outcome import LONGEST_WAIT, outcome

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"0", 0),
        (b" 120 ", 120),
        (b"86401", LONGEST_WAIT),
        (b"9" * 5000, LONGEST_WAIT),
        (b"Tue, 14 Nov 2023 22:15:20 GMT", 120),
        (b"Tue, 14 Nov 2023 22:00:00 GMT", 0),
        (b"Tuesday, 14-Nov-23 22:15:20 GMT", 120),
        (b"Fri, 14 Nov 2053 22:15:20 GMT", LONGEST_WAIT),
        (b"-5", None),
        (b"1.5", None),
        (b"soon", None),
        (b"\xff", None),
        (b"", None),
        (b"Tue, 99 Nov 2023 22:15:20 GMT", None),
        (b"Tue, 14 Nov 99999999 22:15:20 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(status: int, text: bytes, seconds: float | None) -> None:
    result = outcome(status, text, NOW)
    assert (result.outcome, result.retry_after) == ("failed", seconds)


@pytest.mark.parametrize("status", [200, 301, 410, 500])
def test_retry_after_means_nothing_beside_another_status(status: int) -> None:
    assert outcome(status, b"5", NOW).retry_after is None


@given(st.integers(0, 999), st.binary(max_size=40))
def test_every_status_has_an_outcome(status: int, retry_after: bytes) -> None:
    result = outcome(status, retry_after, NOW)
    assert (result.outcome == "delivered") == (200 <= status < 300)
    assert (result.outcome == "gone") == (status == 410)
    assert result.said.startswith(str(status))
    assert result.retry_after is None or 0 <= result.retry_after <= LONGEST_WAIT


def test_a_redirect_is_explained() -> None:
    assert outcome(302, b"", NOW) == Result("failed", "302 Found: redirects are not followed")
