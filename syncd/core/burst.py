"""Changes that come together are looked at together: when a burst of them counts as over."""

from typing import Final

import msgspec

QUIET_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 0.5


class Burst(msgspec.Struct, frozen=True):
    """Changes between ``first`` and ``last``, in seconds of any steady clock."""

    first: float
    last: float

    def more(self, now: float) -> "Burst":
        """Add a change."""
        return Burst(self.first, now)

    @property
    def due(self) -> float:
        """When to look: once it is quiet, but after some time whether it is or not."""
        return min(self.last + QUIET_SECONDS, self.first + LONGEST_SECONDS)
