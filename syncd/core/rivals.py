"""Rival writers: a key that somebody writes again and again is healed ever more seldom."""

from collections.abc import Iterable
from typing import Final

import msgspec

FREE_HEALS: Final = 3
"""So many heals in a row are an edit, tried again by a person; after them it is a rival."""
FIRST_REST: Final = 1.0
LONGEST_REST: Final = 300.0
QUIET_SECONDS: Final = 60.0
"""A key that stayed as it was healed for so long beyond its rest has no rival any more."""


class Rest(msgspec.Struct, frozen=True):
    """A key that was healed so many times in a row, and is left alone for so many seconds."""

    key: str
    heals: int
    seconds: float


class _Fight(msgspec.Struct, frozen=True, gc=False):
    heals: int
    until: float


class Rivals:
    """Counts heals by key. Times are seconds of any steady clock."""

    def __init__(self) -> None:
        self._fights: dict[str, _Fight] = {}

    def heal(self, keys: Iterable[str], now: float) -> tuple[Rest, ...]:
        """Count a heal of each key, won or lost; return those that rest from now on."""
        self._forget(now)
        counted = [self._count(key, now) for key in keys]
        return tuple(rest for rest in counted if rest.seconds)

    def _count(self, key: str, now: float) -> Rest:
        known = self._fights.get(key)
        heals = 1 + (known.heals if known else 0)
        doublings = heals - FREE_HEALS - 1
        rest = 0.0 if doublings < 0 else min(LONGEST_REST, FIRST_REST * 2.0 ** min(doublings, 30))
        self._fights[key] = _Fight(heals, now + rest)
        return Rest(key, heals, rest)

    def resting(self, now: float) -> frozenset[str]:
        """List the keys that are not to be healed now."""
        self._forget(now)
        return frozenset(key for key, fight in self._fights.items() if fight.until > now)

    def next_end(self, now: float) -> float | None:
        """Return when the next rest ends."""
        return min((fight.until for fight in self._fights.values() if fight.until > now), default=None)

    def _forget(self, now: float) -> None:
        over = [key for key, fight in self._fights.items() if fight.until + QUIET_SECONDS < now]
        for key in over:
            del self._fights[key]
