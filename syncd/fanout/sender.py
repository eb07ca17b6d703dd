"""What every way of telling a subscriber has in common."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """What is sent in one delivery: the same ``id`` and ``body`` (a CloudEvent as JSON) at every try.

    ``full``: it tells the full state, and how things stand now, which may be later than what was asked for.
    """

    id: str
    body: bytes
    full: bool = False


class Result(msgspec.Struct, frozen=True, gc=False):
    """How a try ended. ``said`` is for people: a status, an exit code, an error; never a secret, at most a line.

    ``gone``: the subscriber wants nothing more. ``retry_after``: it asked to be left alone for so many seconds.
    """

    outcome: Literal["delivered", "failed", "gone"]
    said: str
    retry_after: float | None = None


Done = Callable[[Result], None]


class Sender(Protocol):
    """Tells one subscriber. ``send`` returns at once and calls ``done`` exactly once, later, from the event loop.

    Never more than one message at a time; ``close`` ends what is under way without calling ``done``.
    """

    def send(self, message: Message, done: Done) -> None:
        """Start one try."""
        ...

    async def close(self) -> None:
        """Give up what is under way and free everything."""
        ...
