"""Durations as Go writes and reads them: ``1m30s``, ``250ms``, ``0``."""

import re
from fractions import Fraction

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"([-+]?)((?:{_PART.pattern})+)")


def nanoseconds(text: str) -> int:
    """Read a duration; ValueError where Go says it is none."""
    if text in {"0", "+0", "-0"}:
        return 0
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise ValueError(f'time: invalid duration "{text}"')
    total = int(sum(_number(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    if total >= 2**63:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if whole[1] == "-" else total


def _number(text: str) -> Fraction:
    whole, _, part = text.partition(".")
    return Fraction(f"{whole or 0}.{part or 0}")
