"""How one commit stands to another."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Relation(StrEnum):
    """What the target commit is, seen from the commit that the store holds."""

    SAME = "same"
    DESCENDANT = "descendant"  # newer: the ordinary case
    BEHIND = "behind"  # an ancestor: never applied
    REWRITTEN = "rewritten"  # neither: history was rewritten, or is unrelated
    UNKNOWN = "unknown"  # an object is missing or the clone is shallow: fetch, deepen or wait


_GRAVITY: Final = (Relation.SAME, Relation.DESCENDANT, Relation.REWRITTEN, Relation.UNKNOWN, Relation.BEHIND)


def gravest(relations: Iterable[Relation]) -> Relation:
    """Sum up how a commit stands to several: behind one is behind, unknown to one is unknown; SAME without any."""
    return max(relations, key=_GRAVITY.index, default=Relation.SAME)
