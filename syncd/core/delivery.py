"""A subscriber's deliveries as a table of states, and when a failed one is tried again."""

from enum import StrEnum
from typing import Final

import msgspec


class DeliveryState(StrEnum):
    """Where a subscriber stands."""

    IDLE = "idle"  # it has been told everything
    OWED = "owed"  # something is to be told
    SENDING = "sending"  # a try is under way
    WAITING = "waiting"  # the last try failed; the next has its time
    DISABLED = "disabled"  # it said that it wants nothing more (410 Gone)

    __hash__ = str.__hash__  # Enum's own is a Python function, and each delivery looks into the table six times


class DeliveryEvent(StrEnum):
    """What moves a subscriber between the states."""

    CHANGED = "changed"  # keys that it cares for changed
    STARTED = "started"  # a try began
    DELIVERED = "delivered"  # it acknowledged
    FAILED = "failed"  # the try failed and there will be another
    EXHAUSTED = "exhausted"  # the last try failed: the set is kept for a replay
    GONE = "gone"  # it answered that it is gone
    DUE = "due"  # the time for the next try has come
    REPLAYED = "replayed"  # a person had it told anew

    __hash__ = str.__hash__


# By themselves, because a member costs ten times as much where it is looked up through its class.
IDLE, OWED, SENDING, WAITING, DISABLED = DeliveryState
UNUSABLE: Final = "unusable"
"""No state of a delivery: where a subscriber's definition cannot work, there is none."""
CHANGED, STARTED, DELIVERED, FAILED, EXHAUSTED, GONE, DUE, REPLAYED = DeliveryEvent

TABLE: Final[dict[DeliveryState, dict[DeliveryEvent, DeliveryState]]] = {
    IDLE: {
        CHANGED: OWED,
        REPLAYED: OWED,
    },
    OWED: {
        CHANGED: OWED,
        REPLAYED: OWED,
        STARTED: SENDING,
        DELIVERED: IDLE,  # what was owed turned out not to concern it
    },
    SENDING: {
        CHANGED: SENDING,
        DELIVERED: IDLE,
        FAILED: WAITING,
        EXHAUSTED: IDLE,
        GONE: DISABLED,
    },
    WAITING: {
        CHANGED: WAITING,
        DUE: OWED,
        REPLAYED: OWED,
    },
    DISABLED: {
        CHANGED: DISABLED,
        REPLAYED: OWED,
    },
}

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
SCHEDULE: Final = (
    5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR,
)  # fmt: skip
"""Seconds from one try to the next, as Standard Webhooks recommends (spec/standard-webhooks.md, "Deliverability")."""
JITTER: Final = 0.2
NEWS_SECONDS: Final = 5.0
"""News is tried so soon after a failed try, whatever the schedule: a service that is back should not wait for hours."""


class Retry(msgspec.Struct, frozen=True):
    """A delivery that failed. Times are Unix seconds, so that they outlive a restart.

    ``step`` counts the tries of the schedule that failed, ``tries`` all of them, ``last`` is when the latest ended.
    ``planned`` is the schedule's next; ``rest`` is until when the subscriber asked to be left alone.
    """

    step: int
    tries: int
    last: float
    planned: float
    rest: float = 0.0


def failed(before: Retry | None, now: float, draw: float, *, asked: float | None = None) -> Retry | None:
    """Plan the next try after a failed one; None where the schedule is over. ``draw`` is a random number in [0, 1).

    A try that news brought forward does not count against the schedule. ``asked`` is in seconds.
    """
    tries, rest = before.tries + 1 if before else 1, now + (asked or 0.0)
    if before is not None and now + NEWS_SECONDS < before.planned:
        return Retry(before.step, tries, now, before.planned, rest)
    step = before.step + 1 if before else 1
    if step > len(SCHEDULE):
        return None
    return Retry(step, tries, now, now + SCHEDULE[step - 1] * (1.0 - JITTER / 2 + JITTER * draw), rest)


def due(retry: Retry, now: float, *, news: bool) -> float:
    """Return when to try again; a clock that was set back makes nobody wait longer than was planned."""
    back = max(0.0, retry.last - now)
    soonest = min(retry.planned, retry.last + NEWS_SECONDS) if news else retry.planned
    return max(soonest, retry.rest) - back
