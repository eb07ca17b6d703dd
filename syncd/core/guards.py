"""The rules by which a plan refuses itself."""

from enum import StrEnum
from typing import Final

import msgspec

from syncd.core.errors import SyncdError
from syncd.core.history import Relation
from syncd.core.text import count, some


class Guard(StrEnum):
    """Every guard by its name in plans, records and documents."""

    EMPTY = "empty"
    MASS_DELETE = "mass-delete"
    FIRST_CONTACT = "first-contact"
    BEHIND = "behind"
    REWRITTEN = "rewritten"
    UNKNOWN_HISTORY = "unknown-history"
    OTHER_LINEAGE = "other-lineage"
    CONFLICT = "conflict"


NEVER_LIFTED: Final = frozenset({Guard.BEHIND})
HISTORY: Final = frozenset({Guard.BEHIND, Guard.REWRITTEN, Guard.UNKNOWN_HISTORY})
"""Guards that another node, with another clone, may not see."""
MASS_DELETE_KEYS: Final = 10
MASS_DELETE_DIVISOR: Final = 10


class Refusal(msgspec.Struct, frozen=True):
    """One guard's refusal: what it saw, in numbers, and what a person can do."""

    guard: Guard
    message: str
    hint: str


class Refused(SyncdError):
    """A plan that no one may apply until a person decides; ``hash`` is what an approval must name, "" if none can."""

    exit_code = 3

    def __init__(self, refusals: tuple[Refusal, ...], hash_: str) -> None:
        ways_out = list(dict.fromkeys(refusal.hint for refusal in refusals))
        ways_out += [f"to let exactly this plan through: --approve {hash_}"] if hash_ else []
        super().__init__("; ".join(refusal.message for refusal in refusals), hint="; ".join(ways_out))
        self.refusals = refusals
        self.hash = hash_


def delete_limit(owned: int) -> int:
    """Return how many of so many owned keys may go without a person: ten, or a tenth if that is more."""
    return max(MASS_DELETE_KEYS, owned // MASS_DELETE_DIVISOR)


def too_many_deletes(deletes: int, owned: int) -> bool:
    """Tell whether so many deletes of so many owned keys need a person."""
    return deletes > delete_limit(owned)


def empty(owned: int) -> Refusal:
    """Refuse a tree without a single key where there are keys."""
    return Refusal(
        Guard.EMPTY,
        f"the tree holds no key at all, while syncd has {count(owned, 'key')} in the store",
        "check source.path and the last commit",
    )


def mass_delete(deletes: int, owned: int) -> Refusal:
    """Refuse to delete a large share of the keys."""
    return Refusal(
        Guard.MASS_DELETE,
        f"{deletes:,} of {count(owned, 'key')} would be deleted (more than {delete_limit(owned):,})",
        "look at the plan, and approve it if it is meant",
    )


def first_contact(takeovers: int) -> Refusal:
    """Refuse to overwrite, on the very first apply, values that somebody else wrote."""
    have = "has another value" if takeovers == 1 else "have other values"
    return Refusal(
        Guard.FIRST_CONTACT,
        f"this is the first apply to this prefix, and {count(takeovers, 'key')} there {have} than the tree",
        "look at the plan, or bring the live values into git first (syncd import)",
    )


def conflict(keys: tuple[str, ...]) -> Refusal:
    """Refuse to touch keys that another source, a session or ``consul lock`` holds."""
    belong = "belongs" if len(keys) == 1 else "belong"
    return Refusal(
        Guard.CONFLICT,
        f"{count(len(keys), 'key')} {belong} to another source, a session or consul lock: {some(keys)}",
        "take them out of the tree, or free them in the store",
    )


def other_lineage(held: str, own: str) -> Refusal:
    """Refuse to write where another history of this source, or another source, has written."""
    return Refusal(
        Guard.OTHER_LINEAGE,
        f"the store was written by {held}, this is {own}",
        "check store.prefix and source.name: two sources need two prefixes",
    )


def history(relation: Relation, held: tuple[str, ...], target: str) -> Refusal | None:
    """Refuse a commit that does not follow those that the store holds (two while one is being applied)."""
    old, new = " and ".join(commit[:7] for commit in held), target[:7]
    if relation is Relation.BEHIND:
        return Refusal(
            Guard.BEHIND,
            f"commit {new} is older than what the store holds ({old})",
            "update this clone (git pull); to go back, commit a revert (git revert)",
        )
    if relation is Relation.REWRITTEN:
        return Refusal(
            Guard.REWRITTEN,
            f"commit {new} does not follow what the store holds ({old}): history was rewritten",
            "amend, rebase, reset and a forced push do that; look at the plan, and approve it if it is meant",
        )
    if relation is Relation.UNKNOWN:
        return Refusal(
            Guard.UNKNOWN_HISTORY,
            f"this clone cannot tell whether commit {new} follows what the store holds ({old})",
            "fetch, or deepen a shallow clone (git fetch --unshallow)",
        )
    return None
