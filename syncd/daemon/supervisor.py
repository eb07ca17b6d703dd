"""The daemon: its loops, and how it starts, tries again and stops."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from syncd.core.errors import Kind, SyncdError
from syncd.core.keys import RESERVED
from syncd.core.record import Applied
from syncd.core.timing import BACKOFF_LIMIT, backoff
from syncd.daemon import rota
from syncd.daemon.discovery import Discovery
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.duty import Duty
from syncd.daemon.lease import Lease
from syncd.daemon.observer import Observer
from syncd.daemon.outcome import Outcome
from syncd.daemon.own_keys import OwnKeys
from syncd.daemon.passes import Passes
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.report import Report
from syncd.daemon.service import Service
from syncd.daemon.telling import Telling
from syncd.daemon.tip import Tip
from syncd.log import get_logger

log = get_logger(__name__)

T = TypeVar("T")
U = TypeVar("U")

LAST_WRITE_SECONDS: Final = 5.0
"""How long an apply that is under way may go on after the order to stop; the rest is resumed at the next start."""
RELEASE_SECONDS: Final = 3.0
STALLED_SECONDS: Final = 30.0
"""How long at most until the next look whether a person has mended what needs a person."""
STEP_SECONDS: Final = 600.0
"""How long one step of a pass may take: reading git and the whole store, or one batch. A list alone may take 300."""


class Daemon:
    """Follows one source and keeps one prefix equal to it, until ``run`` is cancelled.

    ``interval`` is in seconds, the time between two full reads; ``draw`` gives random numbers in [0, 1).
    """

    def __init__(
        self,
        tip: Tip,
        own: OwnKeys,
        reconciler: Reconciler,
        observer: Observer,
        telling: Telling,
        dispatcher: Dispatcher,
        discovery: Discovery | None,
        duties: Sequence[Duty],
        lease: Lease,
        report: Report,
        service: Service,
        passes: Passes,
        *,
        interval: float,
        draw: Callable[[], float],
    ) -> None:
        self._tip = tip
        self._own = own
        self._reconciler = reconciler
        self._observer = observer
        self._telling = telling
        self._dispatcher = dispatcher
        self._discovery = discovery
        self._duties = duties
        self._lease = lease
        self._interval = interval
        self._draw = draw
        self._report = report
        self._service = service
        self._pulse = service.pulse("pass")
        self._passes = passes
        self._stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        """Run every loop; on cancellation let the last write finish, then give the lease back."""
        passes = asyncio.create_task(self._pass_for_ever())
        loops = [asyncio.create_task(loop) for loop in self._loops()]
        try:
            await _first_failure([passes, *loops])
        finally:
            await self._stop(passes, loops)

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        discovering = (self._discovery.run(self._service.pulse("catalog")),) if self._discovery else ()
        scheduled = (self._keep(self._duties),) if self._duties else ()
        return [
            *discovering,
            *scheduled,
            self._tip.follow(self._service.pulse("git"), self._passes.want),
            self._lease.keep(self._lead_lost, self._service.pulse("lease")),
            self._read_anew(),
            self._observer.run(self._passes.want, self._own.read_anew),
            self._dispatcher.run(self._service.pulse("dispatcher")),
            self._own.watch(self._service.pulse(f"watch of {RESERVED!r}")),
        ]

    async def _stop(self, passes: asyncio.Task[None], loops: list[asyncio.Task[None]]) -> None:
        self._service.forget()
        self._service.pulse("stop").tick(LAST_WRITE_SECONDS + RELEASE_SECONDS)
        for loop in loops:
            loop.cancel()
        self._passes.stop()
        self._stopping.set()
        self._passes.want()
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
            self._passes.wanted.clear()
            self._tick()
            self._passes.begin()
            failure: SyncdError | None = None
            outcome: Outcome | None = None
            self._observer.follow(None)
            try:
                outcome = await self._pass()
                self._report.outcome(outcome)
                if outcome.result == "applied" and outcome.plan is not None and outcome.plan.withheld:
                    self._passes.want()  # what waits for an approval is named by the plan that comes next
            except SyncdError as error:
                failure = error
            self._tick()
            unpublished = await self._telling.tell(outcome)
            self._observer.follow(self._reconciler.held)
            self._report.store_error(failure)
            self._report.journal_error(unpublished)
            self._tick()
            await self._tip.note_edits()
            self._passes.end(outcome, failure or unpublished, self._applied())
            self._service.passed(self._report.standing)
            self._pulse.rest()
            await self._sleep(failure or unpublished)

    def _applied(self) -> Applied | None:
        record = self._reconciler.held.record if self._reconciler.held else None
        return record.applied if record else None

    def _tick(self, *_: int) -> None:
        self._pulse.tick(STEP_SECONDS)

    async def _sleep(self, error: SyncdError | None) -> None:
        """Wait for the next pass: until something happens, or while something fails, until it is worth a try."""
        if error is None:
            self._failures = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(self._reconciler.rest()):
                    await self._passes.wanted.wait()
            return
        self._failures += 1
        retry = error.kind is Kind.RETRY
        event, limit = (self._stopping, BACKOFF_LIMIT) if retry else (self._passes.wanted, STALLED_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(backoff(self._failures, self._draw(), limit=limit)):
                await event.wait()

    async def _pass(self) -> Outcome:
        # The orders are read each time, while git is asked: a pause must hold though the watch on it has died unseen.
        revision, orders = await _both(self._tip.read(), self._own.orders())
        if self._own.record_moved():
            if self._lease.leading:
                log.info("somebody moved or deleted the control record; reading the store anew")
            self._reconciler.forget()
        self._tick()
        return await self._reconciler.reconcile(revision, orders, self._tick)

    async def _keep(self, duties: Sequence[Duty]) -> None:
        """Take snapshots from the first pass on: then it is known who leads, and what it applied is in them."""
        await self._passes.over()
        await rota.keep(duties, self._service.pulse("snapshot"))

    async def _read_anew(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            self._own.read_anew()

    def _lead_lost(self) -> None:
        self._telling.step_back()
        self._passes.want()


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
