"""Putting a snapshot back: look, pause, keep what is there, replace it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import tzinfo
from pathlib import Path
from typing import Final

import msgspec

from syncd.core import record
from syncd.core.control import Pause
from syncd.core.errors import Conflict, RecordError, SnapshotError, StoreError
from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.guarding import is_empty, losses, unreadable
from syncd.core.snapshots.records import Entry
from syncd.core.snapshots.schedule import local_date
from syncd.daemon import orders
from syncd.daemon.lease import Lease
from syncd.snapshots import reading
from syncd.snapshots.folder import Folder, changed
from syncd.snapshots.reading import Verified
from syncd.snapshots.restoring import Prepared, prepare
from syncd.snapshots.taking import Progress, Taken, take
from syncd.store.store import Store, is_embedded

SETTLE_SECONDS: Final = 60.0
"""How long an apply that is under way is waited for."""
_POLL: Final = 0.2
_CAMPAIGNS: Final = 10
_VERSION_PARTS: Final = 2


class Refused(SnapshotError):
    """The snapshot may not be put back here."""

    exit_code = 3


class Seen(msgspec.Struct, frozen=True):
    """What a store holds at this moment; ``own_sessions`` counts the one that has the lease."""

    contents: Contents
    entries: list[Entry]
    own_sessions: int

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing that could be lost."""
        return is_empty(self.contents)


class Done(msgspec.Struct, frozen=True):
    """What was kept of before, and how the store was found afterwards; ``doubt`` says what could not be seen to."""

    before: Path
    epoch: str
    doubt: str


class Restore:
    """Puts snapshots back into one store. ``zone`` is where their dates count, ``draw_id`` gives a new random id."""

    def __init__(
        self, store: Store, folder: Folder, lease: Lease, *, prefix: str, zone: tzinfo, draw_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._folder = folder
        self._lease = lease
        self._prefix = prefix
        self._zone = zone
        self._draw_id = draw_id

    async def look(self, progress: Progress) -> Seen:
        """Read the whole store as its snapshot has it; nothing of it is kept."""
        with tempfile.TemporaryDirectory(prefix="syncd-look-") as scratch:
            taken = await self._take(Folder(Path(scratch)), time.time(), progress)
            entries = await asyncio.to_thread(reading.entries, taken.path)
        return Seen(taken.manifest.contents, entries, await self._own_sessions())

    async def demand(self, path: Path, snapshot: Contents, seen: Seen, *, wipe: bool) -> None:
        """Raise Refused where the store would lose what the snapshot has nothing of, or could not read it."""
        version = await self._store.version()
        if snapshot.embedded != is_embedded(version):
            theirs, ours = ("syncd's embedded store", "a Consul") if snapshot.embedded else ("a Consul", "syncd's own")
            hint = "bring its keys over: syncd snapshot extract, then consul kv import; nothing was changed"
            raise Refused(f"it is a snapshot of {theirs}, and this store is {ours}", where=str(path), hint=hint)
        kinds = unreadable(snapshot, seen.contents, _numbers(version))
        if kinds:
            hint = "restore it into the version that wrote it, or a newer one; nothing was changed"
            told = f"it holds records that Consul {version} does not know, and would end at: {', '.join(kinds)}"
            raise Refused(told, where=str(path), hint=hint)
        found = losses(snapshot, seen.contents, own_sessions=seen.own_sessions)
        if found and not wipe:
            told = "it would wipe what this cluster has" + "".join(f"\n  {each}" for each in found)
            hint = "take single keys back with --prefix or --key; if all that is to go: --wipe-cluster"
            raise Refused(told, where=str(path), hint=f"{hint}; nothing was changed")

    async def restore(
        self, path: Path, found: Verified, author: str, *, wipe: bool, now: float, progress: Progress
    ) -> Done:
        """Pause, take a snapshot, and replace everything; the pause stands in what is restored, under a new epoch.

        ``found`` is what the file was verified to be. Where anything fails before the store is asked to replace
        anything, a pause that this has ordered is lifted again.
        """
        with self._folder.locked():
            if await asyncio.to_thread(reading.file_hash, path) != found.sha256:
                raise changed(path)
            ordered = Pause(author, int(now), f"{path.name} was restored")
            epoch = self._draw_id()
            prepared = await asyncio.to_thread(prepare, path, self._prefix, ordered, epoch)
            async with self._quiet(ordered) as asked:
                before = await self._take(self._folder, now, progress)
                seen = Seen(before.manifest.contents, [], await self._own_sessions())
                await self.demand(path, found.contents, seen, wipe=wipe)
                asked.set()
                await self._replace(prepared, before.path)
        return Done(before.path, epoch, await self._see_to(ordered))

    async def _replace(self, prepared: Prepared, before: Path) -> None:
        try:
            await self._store.restore(prepared)
        except StoreError as error:
            error.hint = f"syncd stays paused: see what stands (syncd status); what stood before is in {before}"
            raise

    @asynccontextmanager
    async def _quiet(self, ordered: Pause) -> AsyncIterator[asyncio.Event]:
        """Have nobody write: by the order, once what is under way is done, and by holding the lease meanwhile.

        The event is to be set when the store is asked to replace everything: from then on the pause stays.
        """
        stood, asked = (await orders.read(self._store)).pause, asyncio.Event()
        await orders.pause(self._store, ordered.author, ordered.reason, ordered.since)
        keeping = asyncio.create_task(self._lease.keep(lambda: None))
        try:
            await self._settle()
            await self._take_lease()
            yield asked
        except BaseException:
            with suppress(StoreError):
                await self._lease.resign()
                if stood is None and not asked.is_set():
                    await orders.resume(self._store)
            raise
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _settle(self) -> None:
        """Wait until no revision is being applied."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while await self._is_applying():  # noqa: ASYNC110  # what is waited for happens elsewhere
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            hint = "see syncd status; nothing was changed, and the pause is lifted"
            raise Conflict("an apply does not come to its end", where=self._prefix, hint=hint) from None

    async def _is_applying(self) -> bool:
        entry, holder = await self._store.own("revision"), await self._store.own("lease")
        if entry is None or holder is None or not holder.session:
            return False
        try:
            return record.decode(entry.value).applying is not None
        except RecordError:
            return False  # nobody applies anything on such a record

    async def _take_lease(self) -> None:
        """Take the lease from whoever has it: what they still send is refused, and nobody else gets it meanwhile."""
        for _ in range(_CAMPAIGNS):
            holder = await self._store.own("lease")
            if holder is not None and holder.session:
                await self._store.destroy_session(holder.session)
            with suppress(Conflict):
                if await self._lease.campaign():
                    return
            await asyncio.sleep(_POLL)
        hint = "stop the daemons that write below this prefix; nothing was changed, and the pause is lifted"
        raise Conflict("the lease cannot be had", where=self._prefix, hint=hint)

    async def _see_to(self, ordered: Pause) -> str:
        """Make sure that the pause stands, and let go of a lease that came back from then; say what failed."""
        try:
            await orders.pause(self._store, ordered.author, ordered.reason, ordered.since)
            holder = await self._store.own("lease")
            if holder is not None and holder.session:
                await self._store.destroy_session(holder.session)
        except StoreError as error:
            return str(error)
        return ""

    async def _own_sessions(self) -> int:
        holder = await self._store.own("lease")
        return int(holder is not None and bool(holder.session))

    async def _take(self, folder: Folder, now: float, progress: Progress) -> Taken:
        async with self._store.snapshot() as pieces:
            return await take(
                folder,
                pieces,
                prefix=self._prefix,
                taken=int(now),
                day=local_date(now, self._zone),
                progress=progress,
            )


def _numbers(version: str) -> tuple[int, int] | None:
    """Read the first two numbers of a version."""
    numbers = version.split("+", maxsplit=1)[0].split(".")[:_VERSION_PARTS]
    if len(numbers) == _VERSION_PARTS and all(each.isdigit() for each in numbers):
        return int(numbers[0]), int(numbers[1])
    return None
