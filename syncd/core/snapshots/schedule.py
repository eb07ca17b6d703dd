"""When snapshots are due: one for each local date that the schedule names, whatever clocks, restarts and takeovers do.

Times are seconds since 1970. A time of day that a date lacks, because the clock is put forward, comes later by as much;
one that a date has twice counts the first time.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from hashlib import sha256
from itertools import count
from typing import Final

import msgspec

from syncd.core.snapshots.cron import Cron
from syncd.core.snapshots.manifest import Manifest

LATE_SECONDS: Final = 7200.0
"""How long after its time a snapshot that is not there is late: for one each night, 26 hours after the last."""
_FIRST_RETRY: Final = 60.0
_LAST_RETRY: Final = 3600.0


class Due(msgspec.Struct, frozen=True):
    """A snapshot that is to be there for the local date ``day`` from ``at`` on."""

    day: date
    at: float

    def is_met_by(self, manifest: Manifest, now: float) -> bool:
        """Tell whether a snapshot will do: it is of that date, or was taken since then."""
        return manifest.date == self.day or self.at <= manifest.taken <= now


class Schedule(msgspec.Struct, frozen=True):
    """The dates and the time of day, in one time zone.

    Each date has a delay of its own of up to ``jitter`` seconds, that of ``seed``: a restart does not draw another.
    """

    cron: Cron
    zone: tzinfo
    jitter: float = 0.0
    seed: str = ""

    def latest(self, now: float) -> Due:
        """Return the last that has come due; what was missed before it is missed for good."""
        return next(due for due in self._dues(self._day(now) + 1, -1) if due.at <= now)

    def next(self, now: float) -> Due:
        """Return the first that will come due."""
        return next(due for due in self._dues(self._day(now) - 1, 1) if due.at > now)

    def _day(self, now: float) -> int:
        return datetime.fromtimestamp(now, UTC).toordinal()  # a day more or less does not matter: it is looked around

    def _dues(self, first: int, step: int) -> Iterator[Due]:
        days = (date.fromordinal(number) for number in count(first, step))
        return (Due(day, self._at(day)) for day in days if self.cron.on(day))

    def _at(self, day: date) -> float:
        local = datetime(day.year, day.month, day.day, self.cron.hour, self.cron.minute, tzinfo=self.zone)
        return local.timestamp() + self._delay(day)

    def _delay(self, day: date) -> float:
        drawn = int.from_bytes(sha256(f"{self.seed} {day}".encode()).digest()[:4])
        return self.jitter * drawn / 2**32


def local_date(now: float, zone: tzinfo) -> date:
    """Return the date that the clocks of a zone show."""
    return datetime.fromtimestamp(now, zone).date()


def retry_after(failures: int) -> float:
    """Return the seconds until the next try, after so many in a row have failed."""
    return min(_LAST_RETRY, _FIRST_RETRY * 2.0 ** min(failures - 1, 30))
