"""Drills on schedule: that the newest snapshot can be restored is proved by a restore, into a store of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.drilling import Drilled, Passed
from syncd.core.snapshots.failing import Good
from syncd.core.snapshots.schedule import Due, Schedule
from syncd.core.text import count
from syncd.daemon.answers import LiveDrills
from syncd.daemon.drill import Report
from syncd.daemon.duty import Duty, Sound
from syncd.daemon.turn import Turn
from syncd.log import get_logger
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.keeping import newest

log = get_logger(__name__)

_LATE = "syncd snapshot drill says why none passes; without a snapshot there is nothing to drill"


class Rehearse(Protocol):
    """Restores a snapshot into a store of its own, and compares every key."""

    def __call__(self, path: Path, *, embedded: bool) -> Awaitable[Report]:
        """Do it; SnapshotError where it cannot be restored."""
        ...


class Drills(Duty):
    """Sees to it that one passes for each date that the schedule names; which did last, the folder says.

    Nothing is written into the store, no claim either: between nodes that share a folder its lock decides.
    """

    def __init__(
        self,
        folder: Folder,
        rehearse: Rehearse,
        turn: Turn,
        schedule: Schedule,
        sound: Sound,
        *,
        expression: str,
        node: str,
        now: Callable[[], float],
    ) -> None:
        super().__init__("drill", turn, schedule, sound, expression=expression, node=node, late=_LATE, now=now)
        self._folder = folder
        self._rehearse = rehearse
        self._passed: Passed | None = None

    def standing(self) -> LiveDrills:
        """Say how it stands with drills."""
        passed = self._passed
        return LiveDrills(
            schedule=self.expression,
            next=self.schedule.next(self.now()).at,
            last=float(passed.ended) if passed else 0.0,
            file=passed.file if passed else "",
            taken=float(passed.taken) if passed else 0.0,
            store=passed.store if passed else "",
            tried=self.tried,
            failures=self.failures,
            late=self.is_late,
            trouble=self.trouble,
            retry=self.retry,
        )

    def last(self) -> Good | None:
        """Name the snapshot whose drill passed last."""
        return Good(self._passed.file, self._passed.taken) if self._passed else None

    async def is_met(self, due: Due, now: float) -> bool:
        """Ask the folder whether one has passed."""
        self._passed = await asyncio.to_thread(self._folder.passed)
        met = self._passed is not None and self._passed.meets(due, now)
        if self._passed is not None and met and self._passed.ended > self.failed:
            self.forgive()
        return met

    async def do(self, due: Due, now: float) -> bool:
        """Drill the newest sound snapshot; one that is not there is told when the drill is late."""
        with self._folder.locked("is drilling a snapshot of"):
            if await self.is_met(due, now):
                return True
            kept = await asyncio.to_thread(newest, self._folder, lambda _: True)
            if kept is None or kept.manifest is None:
                return False
            self.tried = now
            report = await self._rehearse(kept.path, embedded=kept.manifest.contents.embedded)
            if not report.found.sound:
                raise _unsound(kept, report.found)
            passed = Passed(
                date=due.day,
                ended=int(self.now()),
                file=kept.name,
                taken=int(kept.taken),
                keys=report.found.same,
                store=report.store,
                seconds=report.seconds,
            )
            await asyncio.to_thread(self._folder.note, passed)
        self._passed = passed
        self.forgive()
        log.info("a drill passed", file=str(kept.path), date=str(due.day), keys=passed.keys, store=passed.store)
        return True


def _unsound(kept: Kept, found: Drilled) -> SnapshotError:
    """Say by numbers what is wrong: the keys of others are nobody's business."""
    wrong = {"missing": found.missing, "different": found.different, "not of it": found.foreign}
    said = ", ".join(f"{count(len(names), 'key')} {what}" for what, names in wrong.items() if names)
    hint = f"syncd snapshot drill {kept.name} names them; drill an older one, and take a new one"
    return SnapshotError(f"restored, it is not what it was: {said}", where=str(kept.path), hint=hint)
