"""The snapshot of every night: taken when it is due, made up for when it was missed, tried again when it failed."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from syncd.core.snapshots.failing import Good
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.schedule import Due, Schedule
from syncd.daemon.answers import LiveSnapshots
from syncd.daemon.duty import Duty, Sound
from syncd.daemon.snapshot import Outcome, Snapshots
from syncd.daemon.turn import Turn
from syncd.log import get_logger
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.keeping import newest

log = get_logger(__name__)

_LATE = 'syncd snapshot take says why none can be taken; schedule = "" leaves them to others'


class Nightly(Duty):
    """Sees to it that there is one snapshot for each date.

    ``opened`` makes what takes one, anew for each try: a token that is missing must stop nothing else.
    """

    def __init__(
        self,
        folder: Folder,
        opened: Callable[[], AbstractAsyncContextManager[Snapshots]],
        turn: Turn,
        schedule: Schedule,
        sound: Sound,
        *,
        expression: str,
        node: str,
        now: Callable[[], float],
    ) -> None:
        super().__init__("snapshot", turn, schedule, sound, expression=expression, node=node, late=_LATE, now=now)
        self._folder = folder
        self._opened = opened
        self._last: Kept | None = None
        self._met: Kept | None = None

    def standing(self) -> LiveSnapshots:
        """Say how it stands with snapshots."""
        last = self._last
        return LiveSnapshots(
            schedule=self.expression,
            next=self.schedule.next(self.now()).at,
            last=last.taken if last else 0.0,
            file=str(last.path) if last else "",
            size=last.size if last else 0,
            tried=self.tried,
            failures=self.failures,
            late=self.is_late,
            trouble=self.trouble,
            retry=self.retry,
        )

    def last(self) -> Good | None:
        """Name the newest sound one."""
        return Good(self._last.name, int(self._last.taken)) if self._last else None

    async def is_met(self, due: Due, now: float) -> bool:
        """Ask the folder; a file that was found sound before is not read again."""

        def wanted(manifest: Manifest) -> bool:
            return due.is_met_by(manifest, now)

        known = (self._last, self._met)
        self._last = await asyncio.to_thread(newest, self._folder, lambda _: True, known)
        self._met = await asyncio.to_thread(newest, self._folder, wanted, known)
        if self._met is not None and self._met.taken > self.failed:
            self.forgive()
        return self._met is not None

    async def do(self, due: Due, now: float) -> bool:
        """Take it, unless somebody has taken it meanwhile."""
        self.tried = now
        async with self._opened() as snapshots:
            outcome = await snapshots.take_once(due, self.turn, now)
        if outcome is not None:
            self._succeed(due, outcome)
        return True

    def _succeed(self, due: Due, outcome: Outcome) -> None:
        manifest = outcome.manifest
        self._last = self._met = Kept(outcome.path, manifest.size, manifest.taken, manifest)
        self.forgive()
        log.info(
            "took a snapshot",
            file=str(outcome.path),
            date=str(due.day),
            bytes=manifest.size,
            keys=manifest.contents.keys,
            removed=len(outcome.removed),
        )
