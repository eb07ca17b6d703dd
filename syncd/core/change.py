"""One key's change, and the decision that makes it: three-way over desired, live and base."""

from enum import StrEnum
from typing import Literal

import msgspec

from syncd.core.desired import BaseKey, DesiredKey
from syncd.core.digest import value_hash
from syncd.core.live import Entry
from syncd.core.mark import is_lock, is_mark


class Operation(StrEnum):
    """What happens to a key."""

    CREATE = "create"
    UPDATE = "update"
    MARK = "mark"  # the value is right already, only the mark is set
    TAKEOVER = "takeover"  # the value was somebody else's
    RELEASE = "release"  # no longer ours: the mark is cleared, the value stays
    DELETE = "delete"

    __hash__ = str.__hash__  # Enum's own is a Python function, and a plan counts its changes by operation


# By themselves, because a member costs ten times as much where it is looked up through its class.
CREATE, UPDATE, MARK, TAKEOVER, RELEASE, DELETE = Operation


class Change(msgspec.Struct, frozen=True, gc=False):
    """What makes one key of live equal desired.

    ``key`` is relative to the prefix; ``before`` is what stands there now, ``wanted`` what git says, None for a
    release or a delete. ``secret``: neither value may be shown; so it is for what leaves git when nobody knows whether
    it was a secret there.
    """

    operation: Operation
    key: str
    before: Entry | None
    wanted: DesiredKey | None
    secret: bool = False

    @property
    def index(self) -> int:
        """The ModifyIndex at which the change holds; 0 where the key must not exist."""
        return self.before.index if self.before else 0

    @property
    def value(self) -> bytes:
        """What the key holds afterwards: for a release, what it holds now."""
        if self.wanted is not None:
            return self.wanted.value
        return self.before.value if self.before else b""


Why = Literal["conflict", "orphan", "unproved", "drift", "prune", "ignored", "foreign", "rival"]


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What to do about a key: a change, a change that a person must allow (``why``), or the reason for none."""

    change: Change | None
    why: Why | None = None


def decide_wanted(key: str, wanted: DesiredKey, live: Entry | None, based: BaseKey | None, mark: int) -> Decision:
    """Decide about a key that git names and that lacks its value or its mark."""
    if live is None:
        if _reported(wanted, based):
            return Decision(None, "drift")
        return Decision(Change(CREATE, key, None, wanted, wanted.secret))
    equal, owned = live.value == wanted.value, live.flags == mark
    if not equal and _reported(wanted, based):
        return Decision(None, "drift")
    secret = wanted.secret or (based is not None and based.secret)
    if is_claimed(live, mark):
        return Decision(Change(TAKEOVER, key, live, wanted, secret), "conflict")
    if equal:
        return Decision(Change(MARK, key, live, wanted, secret))
    operation = UPDATE if owned or based is not None else TAKEOVER
    return Decision(Change(operation, key, live, wanted, secret))


def decide_unwanted(
    key: str,
    live: Entry,
    based: BaseKey | None,
    mark: int,
    kept: Literal["", "prune", "ignored"],
    *,
    proved: bool,
) -> Decision | None:
    """Decide about a live key that git does not name; ``proved`` is False while marks alone may not delete.

    A key that is neither marked nor in base is foreign, and left without a word.
    """
    owned = live.flags == mark
    if not owned and based is None:
        return None
    if not owned and is_claimed(live, mark):
        return Decision(None, "foreign")
    secret = based is None or based.secret
    if kept:
        free = owned and not live.session  # the mark of a locked key waits: it is not worth a conflict
        return Decision(Change(RELEASE, key, live, None, secret) if free else None, kept)
    delete = Change(DELETE, key, live, None, secret)
    if live.session:
        return Decision(delete, "conflict")
    if not owned:
        return Decision(delete, "orphan")
    return Decision(delete, None if proved else "unproved")


def is_claimed(live: Entry, mark: int) -> bool:
    """Tell whether somebody else has a claim on a key: another source, a session, ``consul lock``."""
    return bool(live.session) or is_lock(live.flags) or (is_mark(live.flags) and live.flags != mark)


def _reported(wanted: DesiredKey, based: BaseKey | None) -> bool:
    """Tell whether a difference is drift that the tree only wants reported: git itself did not change the key."""
    return wanted.policy.drift == "report" and based is not None and based.hash == value_hash(wanted.value)
