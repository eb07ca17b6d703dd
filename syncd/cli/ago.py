"""Spans of time in words."""

from typing import Final

from syncd.core.text import count

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: float) -> str:
    """Write a span of time, not less than no time, in the largest unit of which there are two."""
    whole = max(0, int(seconds))
    size, unit = next((pair for pair in _UNITS if whole >= 2 * pair[0]), _UNITS[-1])
    return count(whole // size, unit)


def ago(time: float, now: float) -> str:
    """Write how long ago a time (Unix seconds) was."""
    return f"{span(now - time)} ago"
