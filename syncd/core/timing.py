"""When to try again, and how long a lease holds: arithmetic on times that the caller reads."""

from typing import Final

import msgspec

BACKOFF_FIRST: Final = 0.1
BACKOFF_LIMIT: Final = 5.0


def backoff(attempt: int, draw: float, *, limit: float = BACKOFF_LIMIT) -> float:
    """Return the seconds to wait before try ``attempt`` (from 1): exponential, with full jitter above a half.

    ``draw`` is a random number in [0, 1) from the caller; the spread keeps many nodes from coming back together.
    """
    ceiling = min(limit, BACKOFF_FIRST * 2.0 ** min(attempt - 1, 30))
    return ceiling * (0.5 + draw / 2)


class Term(msgspec.Struct, frozen=True):
    """The right to write, for ``ttl`` seconds from when the renewal was *sent*, by a clock that suspends don't stop."""

    sent: float
    ttl: float

    def holds(self, now: float) -> bool:
        """Tell whether the holder may still send a write: Consul lets the session live at least that long."""
        return now - self.sent < self.ttl
