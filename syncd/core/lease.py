"""The lease as a table of states, and what stands at its key."""

from enum import StrEnum
from typing import Final

import msgspec

from syncd.core.documents import UNREADABLE


class LeaseState(StrEnum):
    """Where a node stands on its way to the right to write."""

    IDLE = "idle"  # no session
    STANDBY = "standby"  # a session, the lock is not (or no longer surely) ours
    LEADING = "leading"  # the lock is ours, within its term


class LeaseEvent(StrEnum):
    """What moves a node between the states."""

    OPENED = "opened"  # a session was made, or the remembered one renewed
    ACQUIRED = "acquired"  # the store gave us the lock
    HELD = "held"  # somebody else has it
    RENEWED = "renewed"  # session and lock still stand
    EXPIRED = "expired"  # our own clock says that the term is over
    LOST = "lost"  # the store says that session or lock is gone
    RESIGNED = "resigned"  # we gave it back


TABLE: Final[dict[LeaseState, dict[LeaseEvent, LeaseState]]] = {
    LeaseState.IDLE: {
        LeaseEvent.OPENED: LeaseState.STANDBY,
        LeaseEvent.RESIGNED: LeaseState.IDLE,
    },
    LeaseState.STANDBY: {
        LeaseEvent.ACQUIRED: LeaseState.LEADING,
        LeaseEvent.HELD: LeaseState.STANDBY,
        LeaseEvent.RENEWED: LeaseState.STANDBY,
        LeaseEvent.LOST: LeaseState.IDLE,
        LeaseEvent.RESIGNED: LeaseState.IDLE,
    },
    LeaseState.LEADING: {
        LeaseEvent.RENEWED: LeaseState.LEADING,
        LeaseEvent.EXPIRED: LeaseState.STANDBY,
        LeaseEvent.LOST: LeaseState.IDLE,
        LeaseEvent.RESIGNED: LeaseState.IDLE,
    },
}


def move(state: LeaseState, event: LeaseEvent) -> LeaseState:
    """Return the next state; KeyError where the table has no such move (a fault in the program)."""
    return TABLE[state][event]


class Holder(msgspec.Struct, frozen=True):
    """What the holder writes into the lease's value, for people to read; ``since`` in Unix seconds."""

    holder: str
    since: int


def holder_of(value: bytes) -> str:
    """Name the holder from the lease's value, whatever somebody wrote there."""
    try:
        return msgspec.json.decode(value, type=Holder).holder
    except UNREADABLE:
        return "somebody who left no name"
