"""Carrying a plan out: under the lease, or by whoever holds it."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final, TypeVar

import msgspec

from syncd.cli.applied import Applied, nothing_done
from syncd.cli.handing import have_applied, have_approved
from syncd.cli.orders import Paused, orders
from syncd.cli.plan import Drawn, draw_up
from syncd.cli.progress import progress_bar
from syncd.core import advice, saved
from syncd.core.control import Approval, Control
from syncd.core.errors import Kind, LeaseHeld, StateError, SyncdError
from syncd.core.lease import holder_of
from syncd.core.plan import Plan
from syncd.core.saved import PlanMoved, SavedPlan
from syncd.core.timing import backoff
from syncd.daemon.lease import Lease
from syncd.daemon.outcome import Outcome
from syncd.daemon.reconciler import Check
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

T = TypeVar("T")

_ATTEMPTS: Final = 6
_RELEASE_SECONDS: Final = 3.0


async def carry_out(settings: Settings, drawn: Drawn, kept: SavedPlan | None, approve: str | None) -> Applied:
    """Apply what a person saw, and nothing else."""
    async with _open(settings) as parts:
        holder = await _other_holder(parts)
        if holder is None:
            done = await _lead(parts, drawn, kept, approve)
            return await _with_waiting(parts, drawn, done) if done.waiting else done
        if approve is None:
            return await have_applied(parts, drawn, holder, exactly=kept is not None)
        return await have_approved(parts, drawn, approve, holder)


async def _with_waiting(parts: Parts, drawn: Drawn, done: Applied) -> Applied:
    """Name the plan that waits now: what was just applied is part of its hash."""
    plan = (await draw_up(parts, drawn.revision)).plan
    return msgspec.structs.replace(done, waiting=len(plan.withheld), hash=plan.hash)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Parts]:
    """Open with the state directory if it is free; a daemon of this machine may have it."""
    async with AsyncExitStack() as stack:
        try:
            parts = await stack.enter_async_context(open_parts(settings, os.environ, stateful=True))
        except StateError:
            parts = await stack.enter_async_context(open_parts(settings, os.environ))
        yield parts


async def _other_holder(parts: Parts) -> str | None:
    """Name who leads, unless it was this machine's own daemon, which has died: then its session is ours."""
    entry = await parts.store.own("lease")
    if entry is None or not entry.session:
        return None
    own = parts.state.recall("session") if parts.state else None
    return None if entry.session == own else holder_of(entry.value)


async def _lead(parts: Parts, drawn: Drawn, kept: SavedPlan | None, approve: str | None) -> Applied:
    lease = parts.lease()
    reconciler = parts.reconciler(lease)
    check = _check(drawn, kept)
    keeping = asyncio.create_task(lease.keep(lambda: None))
    try:
        with progress_bar("Applying") as progress:
            outcome = await _persist(
                lambda: _reconcile_once(
                    parts, lambda control: reconciler.reconcile(drawn.revision, control, progress, check), approve
                )
            )
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await _resign(lease)
    return _result(outcome)


async def _reconcile_once(
    parts: Parts, reconcile: Callable[[Control], Awaitable[Outcome]], approve: str | None
) -> Outcome:
    """Reconcile under the orders that stand now; our approval is ours alone and need not be left in the store."""
    standing = await orders(parts.store)
    if standing.pause is not None:
        raise Paused(standing.pause, parts.place)
    own = Approval(approve, "", int(time.time()) + 60) if approve else standing.approval
    return await reconcile(msgspec.structs.replace(standing, approval=own))


async def _persist(work: Callable[[], Awaitable[T]]) -> T:
    """Try again while the outcome is in doubt or the store is away for a moment."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return await work()
        except LeaseHeld:
            raise
        except SyncdError as error:
            if error.kind is not Kind.RETRY:
                raise
        await asyncio.sleep(backoff(attempt, random.random()))  # noqa: S311  # jitter
    return await work()


def _check(drawn: Drawn, kept: SavedPlan | None) -> Check:
    """Make what compares the plan under the lease with the one that was shown.

    Only until it first passes: from then on it is our own writes that change what is left to do.
    """
    begun = drawn.held.record.applying if drawn.held.record else None
    passed = False

    def check(plan: Plan) -> None:
        nonlocal passed
        if passed:
            return
        if kept is not None:
            saved.demand_same(kept, saved.save(plan, drawn.around))
        elif begun is None and plan.hash != drawn.plan.hash:
            hint = f"look at the new one: {advice.plan(drawn.place)}"
            raise PlanMoved("the plan is no longer the one that was shown", hint=hint)
        passed = True

    return check


async def _resign(lease: Lease) -> None:
    """Give the lease back; where the store does not answer it ends by itself."""
    with suppress(SyncdError, TimeoutError):
        async with asyncio.timeout(_RELEASE_SECONDS):
            await lease.resign()


def _result(outcome: Outcome) -> Applied:
    if outcome.result == "standby":
        raise LeaseHeld(outcome.holder, hint="try again when it is done")
    assert outcome.plan is not None
    plan = outcome.plan
    plan.demand()
    done = nothing_done(plan)
    if outcome.result == "applied":
        done = msgspec.structs.replace(done, result="applied", counts=plan.counts)
    return msgspec.structs.replace(done, waiting=len(plan.withheld))
