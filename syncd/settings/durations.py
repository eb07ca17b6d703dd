"""Durations as people write them: ``15s``, ``1h30m``, ``500ms``."""

import re
from typing import Final

_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Return seconds; raise ValueError for what has no unit or is not a duration."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write one like 15s, 10m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def render_duration(seconds: float) -> str:
    """Write seconds the shortest way that ``parse_duration`` reads back (to the millisecond)."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in _SECONDS.items():
        count, left = divmod(left, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
