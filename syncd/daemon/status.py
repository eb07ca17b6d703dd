"""How things stand with a running daemon."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import syncd
from syncd.core import saved
from syncd.core.control import Control
from syncd.core.delivery import UNUSABLE, DeliveryState
from syncd.core.drift import differences
from syncd.core.errors import SyncdError
from syncd.core.event import ToldRevision
from syncd.core.history import Relation
from syncd.core.keys import join
from syncd.core.record import Applied
from syncd.core.saved import SavedRefusal
from syncd.daemon.answers import (
    DriftAnswer,
    LiveDrift,
    LiveOrders,
    LivePass,
    LiveSource,
    LiveStatus,
    LiveSubscribers,
    Role,
    problems_of,
    trouble_of,
)
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.drilling import Drills
from syncd.daemon.lease import Lease
from syncd.daemon.passes import Passes
from syncd.daemon.publisher import told
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.schedule import Nightly
from syncd.daemon.survey import Survey
from syncd.daemon.view import View
from syncd.fanout.stream import Streams
from syncd.git.source import Source
from syncd.store.store import Store

_DESCRIBE_SECONDS: Final = 1.0
_MOST_DRIFT: Final = 10
MOST_PROBLEMS: Final = 20


class Status:
    """Reads the daemon's parts and changes nothing. ``now`` gives Unix seconds."""

    def __init__(
        self,
        source: Source,
        store: Store,
        survey: Survey,
        reconciler: Reconciler,
        lease: Lease,
        passes: Passes,
        view: View,
        dispatcher: Dispatcher,
        streams: Streams,
        nightly: Nightly | None,
        drills: Drills | None,
        *,
        prefix: str,
        address: str,
        now: Callable[[], float],
    ) -> None:
        self._source = source
        self._store = store
        self._survey = survey
        self._reconciler = reconciler
        self._lease = lease
        self._passes = passes
        self._view = view
        self._dispatcher = dispatcher
        self._streams = streams
        self._nightly = nightly
        self._drills = drills
        self._prefix = prefix
        self._address = address
        self._now = now
        self._described = ""
        self._drift: DriftAnswer | None = None

    async def read(self) -> LiveStatus:
        """Say how things stand."""
        passes, view = self._passes, self._view
        drift = await self.drift()
        names = tuple(change.key for change in drift.changes[:_MOST_DRIFT])
        return LiveStatus(
            version=syncd.__version__,
            uptime=self._now() - passes.began,
            source=self._source_now(),
            store=await self._describe(),
            prefix=self._prefix,
            role=self._role(),
            holder="" if self._lease.leading or passes.outcome is None else passes.outcome.holder,
            ready=view.ready,
            applied=self.applied(),
            published=view.revision,
            epoch=view.epoch,
            index=view.index,
            keys=len(view.entries),
            ahead=await self._ahead(),
            last_success=passes.success,
            last=self.last(),
            drift=LiveDrift(drift.known, drift.commit, drift.count, names),
            orders=told_orders(passes.control or Control(), self._now()),
            subscribers=self._subscribers(),
            streams=len(self._streams),
            snapshots=self._nightly.standing() if self._nightly else None,
            drills=self._drills.standing() if self._drills else None,
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

    def _source_now(self) -> LiveSource:
        source, passes = self._source, self._passes
        edits = tuple(join(source.path, path) for path in passes.edits)
        trouble, problems = trouble_of(passes.source_error), problems_of(passes.source_error)
        return LiveSource(
            str(source.repository), source.path, source.branch, passes.tip, edits, trouble, problems[:MOST_PROBLEMS]
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
        if self._passes.control is not None and self._passes.control.pause is not None:
            return "paused"
        if self._lease.leading:
            return "leading"
        return "starting" if self._passes.outcome is None else "standby"

    def applied(self) -> ToldRevision | None:
        """Describe the revision that the store holds, as far as is known."""
        applied = self._held_applied()
        return told(applied) if applied is not None else self._view.revision

    def _held_applied(self) -> Applied | None:
        held = self._reconciler.held
        return held.record.applied if held is not None and held.record is not None else None

    async def _ahead(self) -> float:
        """Count the seconds since the tip was first seen and not applied; a clone that lags behind is not ahead."""
        passes, applied = self._passes, self.applied()
        if not passes.behind or passes.tip is None:
            return 0.0
        if applied is not None and await self.follows(passes.tip.id, applied.commit):
            return 0.0
        return max(0.0, self._now() - passes.behind)

    async def follows(self, commit: str, newer: str) -> bool:
        """Tell whether a commit is the other or comes after it."""
        if commit == newer:
            return True
        try:
            return await self._source.relation(commit, newer) in (Relation.SAME, Relation.DESCENDANT)
        except SyncdError:
            return False

    def last(self) -> LivePass:
        """Describe the last pass."""
        passes, outcome = self._passes, self._passes.outcome
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
        plan = self._passes.outcome.plan if self._passes.outcome else None
        return tuple(SavedRefusal(r.guard.value, r.message, r.hint) for r in plan.refusals) if plan else ()

    def _subscribers(self) -> LiveSubscribers:
        found = self._dispatcher.standings()
        troubled = tuple(each for each in found if _is_troubled(each.state, each.tries))
        return LiveSubscribers(len(found), dict(Counter(each.state for each in found)), troubled)


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
    return tries > 0 or state in (DeliveryState.WAITING, DeliveryState.DISABLED, UNUSABLE)
