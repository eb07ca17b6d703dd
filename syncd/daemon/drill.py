"""A drill: a snapshot is restored into a store of its own, and every key of it looked at."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Final

import msgspec

from syncd.core import keys
from syncd.core.errors import Kind, SnapshotError, StoreError
from syncd.core.snapshots.drilling import Drilled, judge
from syncd.core.snapshots.records import Entry
from syncd.snapshots import reading
from syncd.snapshots.scratch import scratch_consul
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store

READY_SECONDS: Final = 60.0
_POLL: Final = 0.1
_PIECE: Final = 256 * 1024


class Report(msgspec.Struct, frozen=True):
    """``store`` says what it was restored into; ``seconds`` is how long that took, without what came before."""

    store: str
    seconds: float
    found: Drilled


async def rehearse(path: Path, *, embedded: bool) -> Report:
    """Restore a snapshot into a store of its own kind that lives as long as this, and compare.

    SnapshotError where that cannot be done, also for want of a folder, a process or memory on this machine.
    """
    stop = Event()
    try:
        entries = await asyncio.to_thread(reading.entries, path, stop=stop)
    finally:
        stop.set()  # a thread cannot be cancelled, and the process waits for it
    try:
        async with (
            _scratch(embedded=embedded) as (address, demand),
            Store(resolve_endpoint({}, address=address), "") as store,
        ):
            return await drill(store, path, entries, demand)
    except OSError as error:
        raise SnapshotError(
            f"no store can be made to restore into: {error.strerror or error}",
            where=str(error.filename or ""),
            hint="a drill needs a consul that runs here, memory, and room in TMPDIR; no store of yours was touched",
        ) from None


@asynccontextmanager
async def _scratch(*, embedded: bool) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Start what the snapshot is restored into, and name its address."""
    if not embedded:
        async with scratch_consul() as agent:
            yield agent.address, agent.demand
        return
    from syncd.embedded import server  # noqa: PLC0415  # nobody but a drill of such a snapshot needs it

    with tempfile.TemporaryDirectory(prefix="syncd-drill-") as folder:
        started = await server.start(Path(folder, "store.db"), port=0)
        try:
            yield started.address, lambda: None
        finally:
            await started.close()


async def drill(store: Store, path: Path, entries: list[Entry], demand: Callable[[], None]) -> Report:
    """Restore a file into a scratch store, as it is, and compare; ``demand`` raises if that store is gone."""
    clock = asyncio.get_running_loop().time
    await _ready(store, demand)
    begun = clock()
    try:
        await store.restore(_Sent(path))
    except StoreError as error:
        demand()
        raise SnapshotError(
            f"it cannot be restored: {error.message}", where=str(path), hint="no store of yours was touched"
        ) from None
    seconds = clock() - begun
    listing = await store.listing()
    own = {f"{keys.RESERVED}/{name}": entry for name, entry in listing.own.items()}
    found = await asyncio.to_thread(judge, entries, listing.entries | own)
    return Report(await store.describe(), seconds, found)


async def _ready(store: Store, demand: Callable[[], None]) -> None:
    """Wait until the store has a leader and answers."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await _serves(store):
                demand()
                await asyncio.sleep(_POLL)
    except TimeoutError:
        raise SnapshotError("the scratch store does not come up", hint="see whether the machine is busy") from None


async def _serves(store: Store) -> bool:
    try:
        await store.leader()
        await store.get("ready")
    except StoreError as error:
        if error.kind is not Kind.RETRY:
            raise
        return False
    return True


class _Sent:
    """A file's bytes, as often as they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece
