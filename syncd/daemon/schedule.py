"""The snapshot of every night: taken when it is due, made up for when it was missed, tried again when it failed.

APScheduler wakes the loop on the second. What is due, and whether it is done, the loop asks the calendar and the folder
itself each time, once a minute at least: a restart, a takeover or a clock that was set changes neither.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from typing import Final

from syncd.core.errors import Busy, Conflict, StoreError, SyncdError
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.schedule import LATE_SECONDS, Due, Schedule, retry_after
from syncd.daemon.answers import LiveSnapshots, Trouble, trouble_of
from syncd.daemon.service import Pulse
from syncd.daemon.snapshot import Outcome, Snapshots
from syncd.daemon.turn import Turn
from syncd.log import get_logger
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.keeping import newest

log = get_logger(__name__)

LOOK_SECONDS: Final = 60.0
TAKE_SECONDS: Final = 10_800.0
"""How long a look may take: an hour each for the stream, for the program after it, and for reading what is kept."""


class Nightly:
    """Sees to it that there is one snapshot for each date. ``now`` gives Unix seconds.

    ``opened`` makes what takes one, anew for each try: a token that is missing must stop nothing else.
    ``expression`` is the schedule as it was written, for people.
    """

    def __init__(
        self,
        folder: Folder,
        opened: Callable[[], AbstractAsyncContextManager[Snapshots]],
        turn: Turn,
        schedule: Schedule,
        *,
        expression: str,
        now: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._opened = opened
        self._turn = turn
        self._schedule = schedule
        self._expression = expression
        self._now = now
        self._last: Kept | None = None
        self._met: Kept | None = None
        self._mine = 0.0
        self._retry = self._tried = self._failed = 0.0
        self._row = self.failures = 0
        self._error: SyncdError | None = None
        self._late = False
        self._told = ""

    async def run(self, pulse: Pulse) -> None:
        """Take what comes due, for ever; a cancellation leaves no unfinished file."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415  # no command but run needs it

        due = asyncio.Event()

        async def fire() -> None:
            due.set()

        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.start()
        try:
            while True:
                pulse.tick(TAKE_SECONDS)
                await self.look()
                following = datetime.fromtimestamp(self._schedule.next(self._now()).at, UTC)
                # Set anew each time: a clock that was put back must not leave it where it was. No grace, which would
                # drop what comes late.
                scheduler.add_job(
                    fire, "date", run_date=following, id="snapshot", replace_existing=True, misfire_grace_time=None
                )
                pulse.tick(LOOK_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await due.wait()
                due.clear()
        finally:
            scheduler.shutdown(wait=False)

    async def look(self) -> None:
        """Take the snapshot that is due, unless it is there or is another node's."""
        now = self._now()
        due = self._schedule.latest(now)
        try:
            if not await self._is_met(due, now) and await self._is_mine(now) and self._may_try(now):
                await self._take(due, now)
        except (Busy, Conflict) as error:
            log.debug("another one takes the snapshot", why=str(error))
        except SyncdError as error:
            if self._may_try(now):  # a folder that cannot be read would fail every minute
                self._fail(error)
        self._note_late(due)

    def standing(self) -> LiveSnapshots:
        """Say how it stands with snapshots."""
        last = self._last
        return LiveSnapshots(
            schedule=self._expression,
            next=self._schedule.next(self._now()).at,
            last=last.taken if last else 0.0,
            file=str(last.path) if last else "",
            size=last.size if last else 0,
            tried=self._tried,
            failures=self.failures,
            late=self._late,
            trouble=trouble_of(self._error) or (_LATE if self._late else None),
        )

    async def _is_met(self, due: Due, now: float) -> bool:
        """Ask the folder; a file that was found sound before is not read again."""

        def wanted(manifest: Manifest) -> bool:
            return due.is_met_by(manifest, now)

        known = (self._last, self._met)
        self._last = await asyncio.to_thread(newest, self._folder, lambda _: True, known)
        self._met = await asyncio.to_thread(newest, self._folder, wanted, known)
        if self._met is not None and self._met.taken > self._failed:
            self._forgive()
        return self._met is not None

    def _forgive(self) -> None:
        """Forget what failed: it is done, by whomever, or another one's to do."""
        self._failed = self._retry = 0.0
        self._row, self._error, self._told = 0, None, ""

    async def _is_mine(self, now: float) -> bool:
        try:
            mine = await self._turn.is_mine()
        except StoreError:  # the passes say that it is away; where it stays away, the snapshot becomes late
            return False
        self._mine = (self._mine or now) if mine else 0.0
        if not mine:
            self._forgive()
        return mine

    def _may_try(self, now: float) -> bool:
        """Tell whether it is time; a clock that was put back does not put the next try off."""
        return not self._failed <= now < self._retry

    async def _take(self, due: Due, now: float) -> None:
        self._tried = now
        async with self._opened() as snapshots:
            outcome = await snapshots.take_once(due, self._turn, now)
        if outcome is not None:
            self._succeed(due, outcome)

    def _succeed(self, due: Due, outcome: Outcome) -> None:
        manifest = outcome.manifest
        self._last = self._met = Kept(outcome.path, manifest.size, manifest.taken, manifest)
        self._forgive()
        log.info(
            "took a snapshot",
            file=str(outcome.path),
            date=str(due.day),
            bytes=manifest.size,
            keys=manifest.contents.keys,
            removed=len(outcome.removed),
        )

    def _fail(self, error: SyncdError) -> None:
        self.failures += 1
        self._row += 1
        self._failed = self._now()
        self._retry, self._error = self._failed + retry_after(self._row), error
        if self._told != str(error):
            self._told = str(error)
            log.error("the scheduled snapshot failed", why=error.message, at=error.where, hint=error.hint)

    def _note_late(self, due: Due) -> None:
        """Say once when it is late; only who is to take it can tell."""
        waited = self._now() - max(due.at, self._mine)
        late = self._met is None and bool(self._mine) and waited > LATE_SECONDS
        if late and not self._late:
            log.error("the scheduled snapshot is late", date=str(due.day), hint=_LATE.hint)
        self._late = late


_LATE: Final = Trouble(
    "the scheduled snapshot is late",
    hint='syncd snapshot take says why none can be taken; schedule = "" leaves them to others',
)
