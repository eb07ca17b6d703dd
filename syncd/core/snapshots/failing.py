"""What went wrong with a scheduled snapshot or drill, as subscribers are told of it: once for each date and cause."""

from typing import Literal

import msgspec

What = Literal["snapshot", "drill"]
Cause = Literal["failed", "late"]


class Good(msgspec.Struct, frozen=True):
    """A snapshot that is good: its file, and when it was taken (Unix seconds)."""

    file: str
    taken: int


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One failure, in words that hold no secret.

    ``date`` is the local date, ``due`` the moment (Unix seconds) for which it was scheduled. ``node`` names the process
    that was to do it, ``last`` the last good snapshot that it knows.
    """

    what: What
    cause: Cause
    date: str
    due: int
    node: str
    why: str
    where: str = ""
    hint: str = ""
    last: Good | None = None


def note(told: str, failure: Failure) -> str | None:
    """Note a failure as told; None where it was told before. ``told`` is such a note, "" at first."""
    dates = msgspec.json.decode(told, type=dict[str, str]) if told else {}
    name = f"{failure.what} {failure.cause}"
    if dates.get(name) == failure.date:
        return None
    return msgspec.json.encode(dates | {name: failure.date}).decode()
