"""How one commit stands to another."""

from enum import StrEnum


class Relation(StrEnum):
    """What the target commit is, seen from the commit that the store holds."""

    SAME = "same"
    DESCENDANT = "descendant"  # newer: the ordinary case
    BEHIND = "behind"  # an ancestor: never applied
    REWRITTEN = "rewritten"  # neither: history was rewritten, or is unrelated
    UNKNOWN = "unknown"  # an object is missing or the clone is shallow: fetch, deepen or wait
