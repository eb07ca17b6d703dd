"""What an apply came to, as ``syncd apply`` tells it."""

from typing import Literal

import msgspec

from syncd.core.plan import Plan


class Applied(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an apply did; ``by`` names the daemon that did it in our place.

    ``waiting`` counts the deletes that still need an approval, of the plan ``hash``.
    """

    result: Literal["applied", "unchanged"]
    commit: str
    counts: dict[str, int]
    by: str = ""
    worktree: bool = False
    waiting: int = 0
    hash: str = ""


def nothing_done(plan: Plan) -> Applied:
    """Describe an apply that had nothing to do."""
    return Applied("unchanged", plan.commit.id, {}, worktree=plan.commit.worktree)
