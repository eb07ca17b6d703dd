"""Taking a snapshot, from the store to what is kept: the one way, whoever asks for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import date, tzinfo
from pathlib import Path
from threading import Event
from typing import Final

import msgspec

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.retention import Policy
from syncd.core.snapshots.schedule import Due, local_date
from syncd.daemon.turn import Turn
from syncd.fanout.command import passed
from syncd.fanout.program import run
from syncd.log import get_logger
from syncd.snapshots.folder import Folder
from syncd.snapshots.keeping import newest, sweep
from syncd.snapshots.taking import Progress, Taken, take
from syncd.store.store import Store

log = get_logger(__name__)

AFTER_SECONDS: Final = 3600.0
"""How long the program that copies a snapshot elsewhere may take."""


class Outcome(msgspec.Struct, frozen=True):
    """A snapshot that was taken, and what retention did afterwards."""

    path: Path
    manifest: Manifest
    removed: tuple[str, ...]
    damaged: tuple[str, ...]


class Snapshots:
    """Takes snapshots of one store into one folder. ``prefix`` is where syncd's control record stands.

    ``zone`` is where the date counts that a snapshot stands for.
    """

    def __init__(
        self,
        store: Store,
        folder: Folder,
        policy: Policy,
        *,
        prefix: str,
        zone: tzinfo,
        after: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self._store = store
        self._folder = folder
        self._policy = policy
        self._prefix = prefix
        self._zone = zone
        self._after = after
        self._environment = environment

    async def take(self, now: float, progress: Progress) -> Outcome:
        """Take one, verified; only when that and the program after it have succeeded, delete what is not kept.

        ``now`` is in seconds since 1970. Raises Busy while another process takes one into the same folder.
        """
        with self._folder.locked():
            return await self._take(now, local_date(now, self._zone), progress, None)

    async def take_once(self, due: Due, turn: Turn, now: float) -> Outcome | None:
        """Take the one that is due, as ``take`` does; None where it is there. Conflict where it is not our turn."""
        with self._folder.locked():
            if await asyncio.to_thread(newest, self._folder, lambda manifest: due.is_met_by(manifest, now)):
                return None
            await turn.stake(due)
            return await self._take(now, due.day, lambda _: None, turn)

    async def _take(self, now: float, day: date, progress: Progress, turn: Turn | None) -> Outcome:
        async with self._store.snapshot() as pieces:
            came = _confirmed(pieces, turn.confirm) if turn else pieces
            taken = await take(self._folder, came, prefix=self._prefix, taken=int(now), day=day, progress=progress)
        await self._tell(taken)
        stop = Event()
        try:
            swept = await asyncio.to_thread(sweep, self._folder, self._policy, taken.path, stop)
        finally:
            stop.set()  # a thread cannot be cancelled, and the process waits for it
        for name in swept.damaged:
            log.warning("a snapshot is damaged, and counts for nothing", file=str(self._folder.path / name))
        return Outcome(taken.path, taken.manifest, swept.removed, swept.damaged)

    async def _tell(self, taken: Taken) -> None:
        """Run the program that is to have the file."""
        if not self._after:
            return
        variables = dict(passed(self._environment))
        path = str(taken.path.resolve())
        ended = await run([*self._after, path], stdin=b"", environment=variables, limit=AFTER_SECONDS)
        if ended.output:  # to the log and nowhere else: what a program prints may be anything
            log.log("warning" if ended.fault else "debug", "snapshots.after printed", output=ended.output)
        if ended.fault:
            raise SnapshotError(
                f"the snapshot is good, but {self._after[0]} failed after it: {ended.fault}",
                where=path,
                hint="see to snapshots.after; until it succeeds, no old snapshot is removed",
            )


async def _confirmed(pieces: AsyncIterator[bytes], confirm: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    """Hand on every piece; the stream ends well only if it is confirmed after the last one."""
    async for piece in pieces:
        yield piece
    await confirm()
