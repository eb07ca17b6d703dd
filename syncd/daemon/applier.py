"""Writing a plan: one transaction, or the barriers of a larger one."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from syncd.core import digest
from syncd.core.change import DELETE, Change
from syncd.core.desired import Commit
from syncd.core.errors import SyncdError
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.plan import Plan
from syncd.core.record import FORMAT, MAX_NAMED, Applying, Record, applied_of, encode
from syncd.core.transaction import Batch, Fence, Large, batches, flags_of, in_one, record_batch
from syncd.daemon.lease import Lease
from syncd.daemon.survey import Held
from syncd.store.store import Store

Progress = Callable[[int, int], None]


class Applier:
    """Writes under a lease. ``now`` gives Unix seconds, ``draw_id`` a new random id."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        *,
        source: str,
        prefix: str,
        parallel: int,
        now: Callable[[], float],
        draw_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._lease = lease
        self._source = source
        self._prefix = prefix
        self._parallel = parallel
        self._now = now
        self._draw_id = draw_id

    async def apply(
        self,
        plan: Plan,
        held: Held,
        *,
        approval: str | None = None,
        lineage: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the plan and bring ``held`` up to date.

        After any error the outcome is in doubt and ``held`` is void: move the record, read in full, plan again.
        """
        plan.demand()
        before = held.record or self._fresh(lineage)
        final = self._finished(plan, before)
        whole = in_one(self._fence(), encode(final), held.index, plan.changes)
        if whole is not None:
            held.index = await self._send(whole, held)
        else:
            begun = self._begun(plan, before, approval)
            await self._in_stages(plan, held, begun, final, progress)
        held.record = final

    async def heal(self, plan: Plan, held: Held) -> None:
        """Write back what strangers changed, at the indexes seen; the record stays as it is and proves the revision.

        After any error the outcome is in doubt, as after ``apply``.
        """
        plan.demand()
        count = _Count(len(plan.changes), None)
        await self._stage(_without_deletes(plan.changes), held.index, held, count)
        await self._stage(_deletes(plan.changes), held.index, held, count)

    async def move(self, record: Record | None, index: int, lineage: str | None, *, renewed: bool = False) -> None:
        """Rewrite the record as it is, so that its index moves and every batch of an older attempt dies.

        ``renewed``: with a new epoch.
        """
        moved = msgspec.structs.replace(record or self._fresh(lineage), stamp=self._draw_id())
        if renewed:
            moved = msgspec.structs.replace(moved, epoch=self._draw_id())
        await self._send(record_batch(self._fence(), encode(moved), index), None)

    async def _in_stages(self, plan: Plan, held: Held, begun: Record, final: Record, progress: Progress | None) -> None:
        index = await self._send(record_batch(self._fence(), encode(begun), held.index), None)
        count = _Count(len(plan.changes), progress)
        await self._stage(_without_deletes(plan.changes), index, held, count)
        await self._stage(_deletes(plan.changes), index, held, count)
        held.index = await self._send(record_batch(self._fence(), encode(final), index), None)

    def _begun(self, plan: Plan, before: Record, approval: str | None) -> Record:
        """Make the record that says: this revision is being applied."""
        applying = Applying(
            commit=plan.commit.id,
            started=int(self._now()),
            approval=approval,
            lifted=plan.lifted,
            worktree=plan.commit.worktree,
            digest=digest.render(plan.digest),
            granted=plan.granted,
        )
        return msgspec.structs.replace(before, applying=applying, stamp=self._draw_id())

    async def _stage(self, changes: Iterable[Change], index: int, held: Held, count: "_Count") -> None:
        """Send every batch, several at a time; return when the last one is acknowledged: that is the barrier."""
        pending = batches(self._fence(), index, changes)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._drain(pending, held, count))
        except* SyncdError as errors:
            raise _first(errors) from None

    async def _drain(self, pending: Iterator[Batch | Large], held: Held, count: "_Count") -> None:
        for item in pending:
            if isinstance(item, Large):
                await self._put(item, held)
                count.add(1)
            else:
                await self._send(item, held)
                count.add(len(item.changes))

    async def _send(self, batch: Batch, held: Held | None) -> int:
        self._lease.demand()
        index = await self._store.transact(batch.body)
        if held is not None:
            self._enter(held, batch.changes, index)
        return index

    async def _put(self, item: Large, held: Held) -> None:
        """Write what no transaction holds: the one write without a fence, so the lease is asked right before."""
        self._lease.demand()
        change = item.change
        index = await self._store.put_cas(change.key, change.value, item.flags, change.index)
        self._enter(held, (change,), index)

    def _enter(self, held: Held, changes: tuple[Change, ...], index: int) -> None:
        mark, mirror = mark_of(self._source), held.mirror
        wanted = {each.key: Entry(each.wanted.value, mark, index) for each in changes if each.wanted is not None}
        mirror.enter(wanted)
        if len(wanted) == len(changes):  # a full load is nothing else
            return
        for change in changes:
            if change.operation is DELETE:
                mirror.remove(change.key, change.index)
            elif change.wanted is None:
                mirror.enter({change.key: Entry(change.value, flags_of(change, mark), index)})

    def _fence(self) -> Fence:
        return Fence(self._source, self._prefix, self._lease.session)

    def _fresh(self, lineage: str | None) -> Record:
        return Record(FORMAT, self._source, lineage or self._draw_id(), mark_of(self._source), self._draw_id())

    def _finished(self, plan: Plan, before: Record) -> Record:
        """Make the record that says: this revision is applied."""
        resumed = before.applying is not None
        applied = applied_of(
            plan.commit,
            keys=plan.keys,
            digest=digest.render(plan.digest),
            previous=_previous(before, plan.commit),
            # What an earlier attempt wrote is not in this plan, so a resumed apply cannot name all that changed.
            manifest=None if resumed else _manifest(plan.changes),
        )
        return msgspec.structs.replace(
            before,
            source=self._source,
            mark=mark_of(self._source),
            applied=applied,
            applying=None,
            rebuilt=plan.rebuilt,
            orphans=plan.orphans,
            stamp=self._draw_id(),
        )


def _previous(before: Record, commit: Commit) -> str | None:
    """Name the commit before this one; applying one again, to heal what strangers changed, is no step of history."""
    if before.applied is None:
        return None
    return before.applied.previous if before.applied.commit == commit.id else before.applied.commit


def _manifest(changes: Sequence[Change]) -> dict[str, str] | None:
    return {each.key: each.operation.value for each in changes} if len(changes) <= MAX_NAMED else None


class _Count:
    """Counts written changes for a progress bar."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def add(self, number: int) -> None:
        self._done += number
        if self._progress is not None:
            self._progress(self._done, self._total)


def _without_deletes(changes: Iterable[Change]) -> Iterator[Change]:
    return (change for change in changes if change.operation is not DELETE)


def _deletes(changes: Iterable[Change]) -> Iterator[Change]:
    return (change for change in changes if change.operation is DELETE)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
