"""Which snapshots are kept: the last ones, and one each for past days, weeks and months."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """How many are kept of each sort. Days, weeks and months without a snapshot do not count."""

    last: int
    daily: int
    weekly: int
    monthly: int


class Dated(msgspec.Struct, frozen=True):
    """A snapshot as retention sees it: ``taken`` in seconds since 1970, ``date`` the local date it stands for."""

    name: str
    date: date
    taken: int
    pinned: bool = False


_SPANS: Final[dict[str, Callable[[date], object]]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}


def kept(snapshots: Iterable[Dated], policy: Policy) -> dict[str, tuple[str, ...]]:
    """Name what is kept, with the reasons; the newest and whatever is pinned always is.

    A pinned snapshot takes nobody's place.
    """
    newest_first = sorted(snapshots, key=lambda each: (each.taken, each.name), reverse=True)
    reasons: dict[str, list[str]] = {each.name: ["newest"] for each in newest_first[:1]}
    for each in newest_first:
        if each.pinned:
            reasons.setdefault(each.name, []).append("pinned")
    loose = [each for each in newest_first if not each.pinned]
    for each in loose[: policy.last]:
        reasons.setdefault(each.name, []).append("last")
    limits = msgspec.structs.asdict(policy)
    for sort, span in _SPANS.items():
        for name in _first_of_each(loose, span)[: limits[sort]]:
            reasons.setdefault(name, []).append(sort)
    return {name: tuple(why) for name, why in reasons.items()}


def _first_of_each(newest_first: Iterable[Dated], span: Callable[[date], object]) -> list[str]:
    """Name the newest snapshot of each span of time, the latest span first."""
    found: dict[object, str] = {}
    for each in newest_first:
        found.setdefault(span(each.date), each.name)
    return list(found.values())
