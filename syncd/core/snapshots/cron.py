"""Cron expressions for what is done at most once a day, with the meaning that cron(8) gives their fields."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

_NICKNAMES: Final[Mapping[str, str]] = {
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART: Final = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Cron(msgspec.Struct, frozen=True):
    """A time of day, and the dates on which it counts. ``weekdays`` go from 0, Sunday, to 6.

    ``either``: a date counts where its day of the month or its weekday fits; else both must.
    """

    minute: int
    hour: int
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def on(self, day: date) -> bool:
        """Tell whether a date counts."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.either else all(fits)


def parse_cron(text: str) -> Cron:
    """Read five fields or a nickname; raise ValueError with what is wrong, also where it never comes."""
    fields = _NICKNAMES.get(text.lower(), text).lower().split()
    if len(fields) != 5:
        known = ", ".join(_NICKNAMES)
        raise ValueError(f"{text!r} is no schedule: write five fields, as 0 2 * * * for 02:00, or one of {known}")
    minute, hour = _one(fields[0], "minute", 59), _one(fields[1], "hour", 23)
    days, months = _field(fields[2], "day of the month", 1, 31), _field(fields[3], "month", 1, 12, _MONTHS)
    weekdays = frozenset(day % 7 for day in _field(fields[4], "weekday", 0, 7, _WEEKDAYS))
    # As cron(8) has it: where both are restricted, either will do; a field that begins with * is not.
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError(f"{text!r} never comes: there is no such day in that month")
    return Cron(minute, hour, days, months, weekdays, either)


def _one(text: str, what: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) > most:
        raise ValueError(f"the {what} must be one number, 0 to {most}, not {text!r}: once a day at most")
    return int(text)


def _field(text: str, what: str, least: int, most: int, names: Sequence[str] = ()) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        given = _PART.fullmatch(part)
        if given is None:
            raise ValueError(f"the {what} {text!r} cannot be read: write *, 5, 1-5, */2 or several with commas")
        first, last = _ends(given, what, least, most, names)
        step = int(given[3] or 1)
        if step == 0:
            raise ValueError(f"the {what} {part!r} has a step of 0")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _ends(given: re.Match[str], what: str, least: int, most: int, names: Sequence[str]) -> tuple[int, int]:
    if given[1] == "*":
        if given[2]:
            raise ValueError(f"the {what} {given[0]!r} cannot be read: * is a range already")
        return least, most
    if given[3] and not given[2]:
        raise ValueError(f"the {what} {given[0]!r} has a step, but no range: write {given[1]}-{most}/{given[3]}")
    first = _number(given[1], what, least, most, names)
    last = _number(given[2], what, least, most, names) if given[2] else first
    if given[2] == "sun":
        last = 7
    if last < first:
        raise ValueError(f"the {what} {given[0]!r} ends before it begins")
    return first, last


def _number(text: str, what: str, least: int, most: int, names: Sequence[str]) -> int:
    if text in names:
        return names.index(text) + (1 if names is _MONTHS else 0)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"the {what} must be {least} to {most}, not {text!r}")
    return int(text)
