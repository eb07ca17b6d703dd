"""How a pass ended."""

from typing import Literal

import msgspec

from syncd.core.change import Change
from syncd.core.plan import Plan
from syncd.git.source import Revision

Result = Literal["applied", "unchanged", "refused", "paused", "standby"]


class Outcome(msgspec.Struct, frozen=True):
    """How a pass ended; ``holder`` names who leads when this node stands by.

    ``begun``: the plan is not the tip's, but that of a commit that must be finished first. ``healed``: what was applied
    were heals of a revision that stood already. ``drift`` is what the tree wants reported and left, as the changes
    that would heal it; ``looked`` are the keys that were looked at, None: all.
    """

    result: Result
    plan: Plan | None = None
    revision: Revision | None = None
    holder: str = ""
    healed: bool = False
    drift: tuple[Change, ...] = ()
    looked: frozenset[str] | None = None
    begun: bool = False
