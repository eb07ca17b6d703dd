"""The claim on a date's snapshot."""

from datetime import date

import pytest
from msgspec.structs import replace

from syncd.core.snapshots.claim import APART_SECONDS, CLAIM_SECONDS, Claim, decode, delay, encode

OURS = Claim(date(2026, 5, 5), "1", "one (pid 1)", "e", 1000)
THEIRS = replace(OURS, id="2", holder="two (pid 1)")


def test_it_reads_back_as_it_was_written() -> None:
    assert decode(encode(OURS)) == OURS
    assert b'"date":"2026-05-05"' in encode(OURS)


@pytest.mark.parametrize("text", [None, b"", b"\xff", b"{}", b'{"date":"yesterday"}', b"[" * 100_000])
def test_what_cannot_be_read_is_no_claim(text: bytes | None) -> None:
    assert decode(text) is None


def test_another_one_s_fresh_claim_on_the_date_bars_whoever_does_not_lead() -> None:
    assert THEIRS.bars(OURS, leading=False)
    assert not THEIRS.bars(OURS, leading=True)


@pytest.mark.parametrize(
    "stale",
    [
        OURS,
        replace(THEIRS, epoch="of before a restore"),
        replace(THEIRS, date=date(2026, 5, 4)),
        replace(THEIRS, since=1000 - int(CLAIM_SECONDS)),
        replace(THEIRS, since=1000 + int(CLAIM_SECONDS)),
    ],
)
def test_no_other_claim_bars_anybody(stale: Claim) -> None:
    assert not stale.bars(OURS, leading=False)


def test_claims_are_the_same_whenever_they_were_made() -> None:
    assert OURS.same(replace(OURS, since=5))
    assert not OURS.same(THEIRS)
    assert not OURS.same(replace(OURS, epoch="other"))
    assert not OURS.same(replace(OURS, date=date(2026, 5, 6)))


def test_who_may_not_claim_comes_at_a_time_of_its_own() -> None:
    delays = [delay(str(number)) for number in range(40)]
    assert delays == [delay(str(number)) for number in range(40)]
    assert 0.0 <= min(delays) < APART_SECONDS / 8
    assert APART_SECONDS * 7 / 8 < max(delays) < APART_SECONDS
    assert len(set(delays)) == 40
