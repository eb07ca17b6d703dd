"""What may be asked of a running daemon, and ordered; how one asks (HTTP) is not its business."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import syncd
from syncd.core import saved
from syncd.core.control import Control
from syncd.core.delivery import DeliveryState
from syncd.core.drift import differences
from syncd.core.errors import GitError, NotFound, SyncdError
from syncd.core.event import ToldRevision
from syncd.core.history import Relation
from syncd.core.keys import join
from syncd.core.problems import TreeError
from syncd.core.record import Applied
from syncd.core.saved import Around, SavedPlan, SavedRefusal
from syncd.daemon import orders
from syncd.daemon.answers import (
    DriftAnswer,
    LiveDrift,
    LiveOrders,
    LivePass,
    LiveSource,
    LiveStatus,
    LiveSubscribers,
    Role,
    SyncAnswer,
    SyncResult,
    problems_of,
    trouble_of,
)
from syncd.daemon.backlog import Backlog
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.lease import Lease
from syncd.daemon.observer import Observer
from syncd.daemon.passes import Passes
from syncd.daemon.publisher import told
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.survey import Held, Survey
from syncd.daemon.view import View
from syncd.fanout.sender import Result
from syncd.fanout.stream import Streams
from syncd.git.source import Source
from syncd.log import get_logger
from syncd.store.store import Store

__all__ = ["Door", "LiveStatus", "NotNow", "SyncAnswer"]

log = get_logger(__name__)

SYNC_SECONDS: Final = 60.0
"""How long at most somebody waits for a pass or a delivery."""
_HELD_SECONDS: Final = 10.0
_DESCRIBE_SECONDS: Final = 1.0
_MOST_DRIFT: Final = 10
_MOST_PROBLEMS: Final = 20


class NotNow(SyncdError):
    """The daemon cannot answer this at the moment."""

    exit_code = 75


class Door:
    """The daemon's parts, for those who ask. ``now`` gives Unix seconds; ``wake`` has a pass begin."""

    def __init__(
        self,
        source: Source,
        store: Store,
        survey: Survey,
        reconciler: Reconciler,
        observer: Observer,
        lease: Lease,
        passes: Passes,
        view: View,
        dispatcher: Dispatcher,
        streams: Streams,
        backlog: Backlog,
        *,
        wake: Callable[[], None],
        prefix: str,
        address: str,
        worktree: bool,
        now: Callable[[], float],
    ) -> None:
        self._source = source
        self._store = store
        self._survey = survey
        self._reconciler = reconciler
        self._lease = lease
        self._wake = wake
        self._prefix = prefix
        self._address = address
        self._worktree = worktree
        self.time = now
        self._described = ""
        self._drift: DriftAnswer | None = None
        self._tests: set[asyncio.Task[Result]] = set()
        self.passes = passes
        self.view = view
        self.observer = observer
        self.dispatcher = dispatcher
        self.streams = streams
        self.backlog = backlog

    # -- how things stand

    async def status(self) -> LiveStatus:
        """Say how things stand."""
        passes, view = self.passes, self.view
        drift = await self.drift()
        names = tuple(change.key for change in drift.changes[:_MOST_DRIFT])
        return LiveStatus(
            version=syncd.__version__,
            uptime=self.time() - passes.began,
            source=self._source_now(),
            store=await self._describe(),
            prefix=self._prefix,
            role=self._role(),
            holder="" if self._lease.leading or passes.outcome is None else passes.outcome.holder,
            ready=view.ready,
            applied=self._applied(),
            published=view.revision,
            epoch=view.epoch,
            index=view.index,
            keys=len(view.entries),
            ahead=await self._ahead(),
            last_success=passes.success,
            last=self._last(),
            drift=LiveDrift(drift.known, drift.commit, drift.count, names),
            orders=told_orders(passes.control or Control(), self.time()),
            subscribers=self._subscribers(),
            streams=len(self.streams),
        )

    async def drift(self) -> DriftAnswer:
        """Compare live with the applied commit; while a pass is under way, as it stood before."""
        held = self._reconciler.held
        applied = held.record.applied if held is not None and held.record is not None else None
        if held is None or applied is None:
            return self._drift or DriftAnswer(False, "", 0, ())
        settled = held.settled
        if settled is None or (settled.commit.id, settled.commit.worktree) != (applied.commit, applied.worktree):
            settled = await self._survey.applied_revision(applied)
        if settled is None:
            return DriftAnswer(False, applied.commit, 0, ())
        found = differences(settled.tree.desired.keys, held.live)
        changes = tuple(saved.describe(change, self._source.path) for change in found)
        self._drift = DriftAnswer(True, applied.commit, len(changes), changes)
        return self._drift

    async def plan(self) -> SavedPlan:
        """Draw up the plan for the branch's tip from what is held of the store; writes nothing.

        TreeError where the tip is invalid, NotNow while nothing is held.
        """
        revision = await (self._source.read_worktree() if self._worktree else self._source.read())
        while True:
            held, ended = await self._held(), self.passes.begun
            whole = Held(held.mirror, held.record, held.index, held.listed)
            made = await self._survey.plan(whole, revision, lineage=self._reconciler.lineage())
            made = made.resume(held.record.applying if held.record else None)
            base = await self._survey.base(held.record)
            if ended == self.passes.begun:  # else a pass has moved what was compared
                return saved.save(made, Around(self._source.path, held.record, held.index, base.origin))

    async def ready(self) -> None:
        """Wait until a whole revision is published, or the daemon stops."""
        while not self.view.ready and not self.passes.stopping:
            await self.passes.over()

    # -- orders

    async def sync(self, commit: str = "") -> SyncAnswer:
        """Have a pass begin and wait for its end; with a commit, until that or a newer one is applied.

        Waits 60 s at most, and answers what the last pass came to.
        """
        answer = None
        if commit:
            try:
                commit = await self._source.resolve(commit)
            except GitError as error:
                raise NotFound(error.message, where=error.where, hint=error.hint) from None
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                while answer is None or not self._is_final(answer, commit):
                    self._wake()
                    await (self.passes.fresh() if answer is None else self.passes.over())
                    answer = await self._answer(commit)
        except TimeoutError:
            answer = answer or await self._answer(commit)
        return answer

    async def approve(self, hash_: str, author: str) -> LiveOrders:
        """Approve the plan of that hash for an hour."""
        return self._ordered(await orders.approve(self._store, hash_, author, self.time()))

    async def pause(self, author: str, reason: str) -> LiveOrders:
        """Have nothing written until ``resume``."""
        return self._ordered(await orders.pause(self._store, author, reason, self.time()))

    async def resume(self, author: str) -> LiveOrders:
        """Lift a pause."""
        ordered = self._ordered(await orders.resume(self._store))
        log.info("resumed", by=author)
        return ordered

    async def test(self, name: str) -> Result:
        """Send a subscriber a message that tells nothing; NotNow where that takes over a minute, and goes on."""
        task = asyncio.create_task(self.dispatcher.test(name))
        self._tests.add(task)
        task.add_done_callback(self._tests.discard)
        await asyncio.wait([task], timeout=SYNC_SECONDS)
        if not task.done():
            raise NotNow(f"{name} is busy, or takes over {SYNC_SECONDS:g} s to answer", hint="look at its deliveries")
        return task.result()

    async def close(self) -> None:
        """Give up what somebody waits for."""
        for task in self._tests:
            task.cancel()
        await asyncio.gather(*self._tests, return_exceptions=True)

    # -- within

    def _source_now(self) -> LiveSource:
        source, passes = self._source, self.passes
        edits = tuple(join(source.path, path) for path in passes.edits)
        trouble, problems = trouble_of(passes.source_error), problems_of(passes.source_error)
        return LiveSource(
            str(source.repository), source.path, source.branch, passes.tip, edits, trouble, problems[:_MOST_PROBLEMS]
        )

    async def _describe(self) -> str:
        if not self._described:
            try:
                async with asyncio.timeout(_DESCRIBE_SECONDS):
                    self._described = await self._store.describe()
            except (SyncdError, TimeoutError):
                return f"{self._address} (does not answer yet)"
        return self._described

    def _role(self) -> Role:
        if self.passes.control is not None and self.passes.control.pause is not None:
            return "paused"
        if self._lease.leading:
            return "leading"
        return "starting" if self.passes.outcome is None else "standby"

    def _applied(self) -> ToldRevision | None:
        applied = self._held_applied()
        return told(applied) if applied is not None else self.view.revision

    def _held_applied(self) -> Applied | None:
        held = self._reconciler.held
        return held.record.applied if held is not None and held.record is not None else None

    async def _ahead(self) -> float:
        """Count the seconds since the tip was first seen and not applied; a clone that lags behind is not ahead."""
        passes, applied = self.passes, self._applied()
        if not passes.behind or passes.tip is None:
            return 0.0
        if applied is not None and await self._follows(passes.tip.id, applied.commit):
            return 0.0
        return max(0.0, self.time() - passes.behind)

    async def _follows(self, commit: str, newer: str) -> bool:
        """Tell whether a commit is the other or comes after it."""
        if commit == newer:
            return True
        try:
            return await self._source.relation(commit, newer) in (Relation.SAME, Relation.DESCENDANT)
        except SyncdError:
            return False

    def _last(self) -> LivePass:
        passes, outcome = self.passes, self.passes.outcome
        plan = outcome.plan if outcome else None
        return LivePass(
            result=outcome.result if outcome else "",
            at=passes.last,
            commit=plan.commit.id if plan else "",
            counts=plan.counts if plan else {},
            withheld=len(plan.withheld) if plan else 0,
            left=len(plan.left) if plan else 0,
            refusals=self._refusals(),
            hash=plan.hash if plan and plan.needs_approval else "",
            trouble=trouble_of(passes.error),
        )

    def _refusals(self) -> tuple[SavedRefusal, ...]:
        plan = self.passes.outcome.plan if self.passes.outcome else None
        return tuple(SavedRefusal(r.guard.value, r.message, r.hint) for r in plan.refusals) if plan else ()

    def _subscribers(self) -> LiveSubscribers:
        found = self.dispatcher.standings()
        troubled = tuple(each for each in found if _is_troubled(each.state, each.tries))
        return LiveSubscribers(len(found), dict(Counter(each.state for each in found)), troubled)

    async def _held(self) -> Held:
        try:
            async with asyncio.timeout(_HELD_SECONDS):
                return await self.observer.held()
        except TimeoutError:
            error = self.passes.error
            why = f": {error.message}" if error else ""
            raise NotNow(f"the store is not known at the moment{why}", hint=error.hint if error else "") from None

    async def _answer(self, commit: str) -> SyncAnswer:
        passes, last, applied = self.passes, self._last(), self._applied()
        held = applied.commit if applied else ""
        tip = passes.tip.id if passes.tip else ""
        wanted = commit or tip
        fine = not passes.error and not passes.source_error
        return SyncAnswer(
            result=self._result(),
            reached=bool(held and wanted) and (fine or bool(commit)) and await self._follows(wanted, held),
            tip=tip,
            applied=held,
            counts=last.counts,
            withheld=last.withheld,
            refusals=last.refusals,
            hash=last.hash,
            holder=passes.outcome.holder if passes.outcome else "",
            problems=problems_of(passes.source_error)[:_MOST_PROBLEMS],
            trouble=last.trouble or trouble_of(passes.source_error),
        )

    def _result(self) -> SyncResult:
        passes = self.passes
        if isinstance(passes.source_error, TreeError):
            return "invalid"
        if passes.error is not None or passes.source_error is not None or passes.outcome is None:
            return "failed"
        return passes.outcome.result

    def _is_final(self, answer: SyncAnswer, commit: str) -> bool:
        """Tell whether waiting longer is of no use."""
        if answer.reached or self.passes.stopping:
            return True
        if answer.result == "failed":
            return not self.passes.retries
        elsewhere = commit and commit != answer.tip  # the branch may be about to move there
        return not elsewhere and (answer.result != "standby" or not commit)

    def _ordered(self, control: Control) -> LiveOrders:
        self._wake()
        return told_orders(control, self.time())


def told_orders(control: Control, now: float) -> LiveOrders:
    """Describe the orders that stand; an approval that is over is none."""
    pause, approval = control.pause, control.approval if control.approves(now) else None
    return LiveOrders(
        paused_by=pause.author if pause else "",
        paused_since=pause.since if pause else 0,
        reason=pause.reason if pause else "",
        approved=approval.hash if approval else "",
        approved_by=approval.author if approval else "",
        approved_until=approval.expires if approval else 0,
    )


def _is_troubled(state: str, tries: int) -> bool:
    return tries > 0 or state in (DeliveryState.WAITING, DeliveryState.DISABLED)
