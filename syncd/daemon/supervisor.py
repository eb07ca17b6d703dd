"""The daemon: its loops, and how it starts, tries again and stops."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from syncd.core import control
from syncd.core.control import Control
from syncd.core.errors import GitError, Kind, StateError, StoreError, SyncdError
from syncd.core.keys import RESERVED
from syncd.core.live import Entry
from syncd.core.problems import TreeError
from syncd.core.record import Applied
from syncd.core.timing import BACKOFF_LIMIT, backoff
from syncd.daemon.discovery import Discovery
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.lease import Lease
from syncd.daemon.observer import Observer
from syncd.daemon.passes import Passes
from syncd.daemon.publisher import Publisher
from syncd.daemon.reconciler import Outcome, Reconciler
from syncd.daemon.report import Report
from syncd.daemon.schedule import Nightly
from syncd.daemon.service import QUERY_SECONDS, Service
from syncd.daemon.survey import Held
from syncd.git.follow import RESCAN
from syncd.git.source import Revision, Source
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

T = TypeVar("T")
U = TypeVar("U")

LAST_WRITE_SECONDS: Final = 5.0
"""How long an apply that is under way may go on after the order to stop; the rest is resumed at the next start."""
RELEASE_SECONDS: Final = 3.0
OWN_WAIT_SECONDS: Final = 20.0
"""A snapshot restored just before a query is parked leaves it waiting for its whole time: this one tells soon."""
STALLED_SECONDS: Final = 30.0
"""How long at most until the next look whether a person has mended what needs a person."""
STEP_SECONDS: Final = 600.0
"""How long one step of a pass may take: reading git and the whole store, or one batch. A list alone may take 300."""
SCAN_SECONDS: Final = 300.0
"""How long it may take to look at the files of a work tree."""


class Daemon:
    """Follows one source and keeps one prefix equal to it, until ``run`` is cancelled.

    ``interval`` is in seconds, the time between two full reads; ``draw`` gives random numbers in [0, 1).
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        reconciler: Reconciler,
        observer: Observer,
        publisher: Publisher,
        dispatcher: Dispatcher,
        discovery: Discovery | None,
        nightly: Nightly | None,
        lease: Lease,
        report: Report,
        service: Service,
        passes: Passes,
        *,
        worktree: bool,
        interval: float,
        draw: Callable[[], float],
    ) -> None:
        self._source = source
        self._store = store
        self._reconciler = reconciler
        self._observer = observer
        self._publisher = publisher
        self._dispatcher = dispatcher
        self._discovery = discovery
        self._nightly = nightly
        self._lease = lease
        self._worktree = worktree
        self._interval = interval
        self._draw = draw
        self._report = report
        self._service = service
        self._pulse = service.pulse("pass")
        self._passes = passes
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._record_index = 0
        self._good: Revision | None = None
        self._failures = 0
        self._unpublished: StateError | None = None

    async def run(self) -> None:
        """Run every loop; on cancellation let the last write finish, then give the lease back."""
        passes = asyncio.create_task(self._pass_for_ever())
        loops = [asyncio.create_task(loop) for loop in self._loops()]
        try:
            await _first_failure([passes, *loops])
        finally:
            await self._stop(passes, loops)

    def wake(self) -> None:
        """Have a pass begin as soon as may be."""
        self._wake.set()

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        discovering = (self._discovery.run(self._service.pulse("catalog")),) if self._discovery else ()
        saving = (self._save(self._nightly),) if self._nightly else ()
        return [
            *discovering,
            *saving,
            self._follow(),
            self._lease.keep(self._lead_lost, self._service.pulse("lease")),
            self._read_anew(),
            self._observer.run(self._wake.set, self._read_in_full),
            self._dispatcher.run(self._service.pulse("dispatcher")),
            self._watch(),
        ]

    async def _stop(self, passes: asyncio.Task[None], loops: list[asyncio.Task[None]]) -> None:
        self._service.forget()
        self._service.pulse("stop").tick(LAST_WRITE_SECONDS + RELEASE_SECONDS)
        for loop in loops:
            loop.cancel()
        self._passes.stop()
        self._stopping.set()
        self._wake.set()
        silenced = asyncio.create_task(self._dispatcher.close())  # a stubborn command takes some seconds to end
        await asyncio.wait([passes], timeout=LAST_WRITE_SECONDS)
        passes.cancel()
        await asyncio.gather(passes, silenced, *loops, return_exceptions=True)
        fate = "given back" if self._lease.leading else "not held"
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lease.resign()
        except (SyncdError, TimeoutError) as error:
            log.warning("the lease could not be given back; it ends by itself", error=str(error))
            fate = "ends by itself"
        log.info("stopped", lease=fate)

    async def _pass_for_ever(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self._tick()
            self._passes.begin()
            failure: SyncdError | None = None
            outcome: Outcome | None = None
            self._observer.follow(None)
            try:
                outcome = await self._pass()
                self._report.outcome(outcome)
                if outcome.result == "applied" and outcome.plan is not None and outcome.plan.withheld:
                    self._wake.set()  # what waits for an approval is named by the plan that comes next
            except SyncdError as error:
                failure = error
            self._tick()
            unpublished = await self._publish(outcome)
            self._observer.follow(self._reconciler.held)
            self._report.store_error(failure)
            self._report.journal_error(unpublished)
            if not self._worktree:
                self._tick()
                self._passes.edits = await self._edits()
                self._report.edits(self._passes.edits)
            self._passes.end(outcome, failure or unpublished, self._applied())
            self._service.passed(self._report.standing)
            self._pulse.rest()
            await self._sleep(failure or unpublished)

    def _applied(self) -> Applied | None:
        record = self._reconciler.held.record if self._reconciler.held else None
        return record.applied if record else None

    async def _publish(self, outcome: Outcome | None) -> StateError | None:
        """Tell subscribers what is whole now; return what keeps it from them, which is tried again.

        After a pass that failed nothing is told: it might be what the next one heals.
        """
        held = self._reconciler.held
        if held is None or outcome is None or not await self._stands(held, outcome):
            self._step_back()
            return self._unpublished
        healing = outcome.result in ("applied", "unchanged")
        try:
            # What a rival wrote stands until its key's rest is over, so it is told: git's value is not what is there.
            unsettled = frozenset(held.touched) - self._reconciler.spared if healing else frozenset()
            await self._publisher.publish(held, unsettled)
        except StateError as error:
            self._unpublished = error
            return error
        self._unpublished = None
        if self._publisher.view.ready:
            self._dispatcher.begin(leading=self._lease.leading)
        return None

    def _step_back(self) -> None:
        """Start no more tries for the leader's subscribers where this node leads no more: a successor tells them."""
        if self._publisher.view.ready and not self._lease.leading:
            self._dispatcher.begin(leading=False)

    async def _stands(self, held: Held, outcome: Outcome) -> bool:
        """Prove that the record still is the one that is held, where no write of this pass has done so.

        Another node may have applied a revision since, of which the watches have told a part.
        """
        if outcome.result == "applied" or not self._publisher.owes(held):
            return True
        try:
            entry = await self._store.own("revision")
            stands = (entry.index if entry else 0) == held.index
        except StoreError:
            stands = False
        if not stands:
            self._read_in_full()
        return stands

    def _tick(self, *_: int) -> None:
        self._pulse.tick(STEP_SECONDS)

    async def _sleep(self, error: SyncdError | None) -> None:
        """Wait for the next pass: until something happens, or while something fails, until it is worth a try."""
        if error is None:
            self._failures = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(self._reconciler.rest()):
                    await self._wake.wait()
            return
        self._failures += 1
        retry = error.kind is Kind.RETRY
        event, limit = (self._stopping, BACKOFF_LIMIT) if retry else (self._wake, STALLED_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(backoff(self._failures, self._draw(), limit=limit)):
                await event.wait()

    async def _pass(self) -> Outcome:
        # The orders are read each time, while git is asked: a pause must hold though the watch on it has died unseen.
        revision, orders = await _both(self._revision(), self._orders())
        held = self._reconciler.held
        if held is not None and self._record_index > held.index:
            if self._lease.leading:
                log.info("somebody moved or deleted the control record; reading the store anew")
            self._reconciler.forget()
        self._tick()
        return await self._reconciler.reconcile(revision, orders, self._tick)

    async def _orders(self) -> Control:
        entry = await self._store.own("control")
        orders = control.decode(entry.value if entry else None)
        self._take(orders)
        return orders

    def _take(self, orders: Control) -> bool:
        """Note the orders; True if they are new."""
        if orders == self._passes.control:
            return False
        self._passes.control = orders
        self._report.orders(orders)
        if orders.approval is not None:
            self._read_in_full()  # what a person approved is a plan of everything, not of what a commit touched
        return True

    async def _revision(self) -> Revision:
        """Read the desired state; where it is invalid or gone, say so and stay with the last good one."""
        try:
            self._good = await (self._source.read_worktree() if self._worktree else self._source.read())
            self._passes.read(self._good.commit, None)
            self._report.source_error(None)
        except (TreeError, GitError) as caught:
            error = caught.below(self._source.path) if isinstance(caught, TreeError) else caught
            self._passes.read(None, error)
            if self._good is None:
                raise error from caught
            self._report.source_error(error)
        return self._good

    async def _edits(self) -> tuple[str, ...]:
        try:
            return await self._source.uncommitted()
        except GitError:
            return ()  # the pass itself reports what is wrong with the repository

    async def _follow(self) -> None:
        wait = SCAN_SECONDS if self._worktree else RESCAN
        alive = partial(self._service.pulse("git").tick, wait)
        async for _ in self._source.follow(worktree=self._worktree, alive=alive):
            self._wake.set()

    async def _save(self, nightly: Nightly) -> None:
        """Take snapshots from the first pass on: then it is known who leads, and what it applied is in them."""
        await self._passes.over()
        await nightly.run(self._service.pulse("snapshot"))

    async def _read_anew(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            self._read_in_full()

    async def _watch(self) -> None:
        """Follow syncd's own keys by one blocking query: one for each would wake for what its neighbours do."""
        index = seen = failures = 0
        pulse = self._service.pulse(f"watch of {RESERVED!r}")
        while True:
            pulse.tick(QUERY_SECONDS)
            sent = asyncio.get_running_loop().time()
            try:
                own, found = await self._store.watch_all_own(index, wait=OWN_WAIT_SECONDS)
            except SyncdError as error:
                failures += 1
                index = 0
                log.debug("watch failed", part=RESERVED, error=str(error))
                await asyncio.sleep(backoff(failures, self._draw()))
                continue
            if failures or found < seen:  # the store is back, or has gone back in time
                self._read_in_full()
            failures = 0
            # Consul wakes watches of a restored store with the old index: the next answer tells, if it need not wait.
            early = found == index and asyncio.get_running_loop().time() - sent < OWN_WAIT_SECONDS
            index, seen = 0 if early else found, found
            self._see_control(own.get("control"))
            self._see_record(own.get("revision"), found)
            self._see_lease(own.get("lease"))

    def _read_in_full(self) -> None:
        self._record_index = 0
        self._reconciler.forget()
        self._wake.set()

    def _see_control(self, entry: Entry | None) -> None:
        try:
            news = self._take(control.decode(entry.value if entry else None))
        except SyncdError as error:  # every pass reads it again, and is refused, until it is mended
            self._report.store_error(error)
            self._passes.control, news = None, True
        if news:
            self._wake.set()

    def _see_record(self, entry: Entry | None, index: int) -> None:
        """Note where the record stands; the index grows with its neighbours too, so only a loss counts."""
        held = self._reconciler.held
        if held is None and self._failures:
            self._wake.set()  # somebody may have mended it
        if entry is None and (held is None or held.record is None):
            return
        self._record_index = max(self._record_index, entry.index if entry is not None else index)
        if held is not None and self._record_index > held.index:
            self._wake.set()

    def _lead_lost(self) -> None:
        self._step_back()
        self._wake.set()

    def _see_lease(self, entry: Entry | None) -> None:
        self._lease.see(entry)
        if not self._lease.leading and (entry is None or not entry.session):
            self._wake.set()


async def _both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Run two at once and wait for both, so that nothing goes on unseen; then raise the first error, if any."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


async def _first_failure(tasks: list[asyncio.Task[None]]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
