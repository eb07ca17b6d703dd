"""What a status means for the delivery. Texts are ours alone: nothing that the peer wrote gets into them."""

from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Final

from syncd.fanout.sender import Result

LONGEST_WAIT: Final = 24 * 3600.0
_GONE: Final = 410
_ASKING_FOR_PEACE: Final = (429, 503)


def failed(said: str) -> Result:
    """Make the result of a try that did not reach its aim."""
    return Result("failed", said)


def outcome(status: int, retry_after: bytes, now: float) -> Result:
    """Judge a reply; ``now`` is in seconds since 1970, for a Retry-After that is a date."""
    if retry_after and status in _ASKING_FOR_PEACE:
        return Result("failed", _said(status), _wait(retry_after, now))
    return _plain(status)


@cache
def _plain(status: int) -> Result:
    if 200 <= status < 300:
        return Result("delivered", str(status))
    return Result("gone" if status == _GONE else "failed", _said(status))


def _said(status: int) -> str:
    try:
        said = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        said = str(status)
    return f"{said}: redirects are not followed" if 300 <= status < 400 else said


def _wait(text: bytes, now: float) -> float | None:
    """Read Retry-After, seconds or a date, at most a day; None for what is neither."""
    text = text.strip()
    if text.isdigit():
        return min(float(text[:10]), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text.decode("ascii")).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)
