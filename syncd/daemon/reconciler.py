"""One source's way into the store: take stock, finish what was begun, plan, apply.

The daemon calls it again and again, ``syncd apply`` until it is done.
"""

from collections.abc import Callable

import msgspec

from syncd.core import control as control_text
from syncd.core import digest
from syncd.core.control import Control
from syncd.core.drift import reported
from syncd.core.epochs import Epochs
from syncd.core.errors import GitError
from syncd.core.history import Relation
from syncd.core.plan import Plan
from syncd.core.problems import TreeError
from syncd.core.record import Applied, Record, decode
from syncd.daemon.applier import Applier, Progress
from syncd.daemon.healer import Healer
from syncd.daemon.lease import Lease
from syncd.daemon.outcome import Outcome
from syncd.daemon.state import State
from syncd.daemon.survey import Held, Survey
from syncd.git.source import Revision, Source
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

FORWARD = (Relation.SAME, Relation.DESCENDANT)

Check = Callable[[Plan], None]
"""Looks at each plan right before it is applied, and raises where it may not be."""


class Reconciler:
    """Brings one prefix of the store to one source's commits.

    ``held`` is what the store holds as far as this node knows, None when it must be read in full. Any error while
    writing leaves ``held`` empty and the outcome in doubt, and the next pass that leads begins by moving the record.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        survey: Survey,
        applier: Applier,
        healer: Healer,
        lease: Lease,
        state: State | None,
        *,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._source = source
        self._survey = survey
        self._applier = applier
        self._healer = healer
        self._lease = lease
        self._state = state
        self._now = now
        self._in_doubt = False
        self._outdated = False
        self._spared: set[str] = set()
        self._only_watched = False
        self._epochs = Epochs()
        self._seen: Held | None = None
        self.held: Held | None = None

    @property
    def spared(self) -> frozenset[str]:
        """The keys whose drift was left for now, because a rival writes them again and again."""
        return frozenset(self._spared)

    def rest(self) -> float | None:
        """Return the seconds until keys that rest may be healed again, None where none was left for that."""
        return (self._healer.rest() or 0.0) if self._spared else None

    def forget(self) -> None:
        """Have the next pass read the store in full; safe to call while one is under way."""
        self._outdated = True

    def expect(self, epoch: str, index: int) -> None:
        """Learn where the record stood when this node last looked: lower now, the store has gone back in time."""
        self._epochs.expect(epoch, index)

    async def reconcile(
        self, tip: Revision, control: Control, progress: Progress | None = None, check: Check | None = None
    ) -> Outcome:
        """Bring the store to ``tip`` as far as lease, orders and guards allow."""
        if control.pause is not None:
            await self._only_watch(tip)
            return Outcome("paused", revision=tip)
        if not self._lease.leading:
            if not self._only_watched:
                self.held = None
            refused = await self._ineligible(tip, control)
            if refused is not None:
                await self._only_watch(tip)
                return refused
            if not await self._lease.campaign():
                await self._only_watch(tip)
                return Outcome("standby", revision=tip, holder=self._lease.holder)
            # The process that had this session died, and what it sent may still be under way.
            self._in_doubt = self._in_doubt or self._lease.recalled
        outcome = await self._lead(tip, control, progress, check)
        if outcome.result == "refused" and outcome.plan is not None and outcome.plan.strays:
            await self._lease.resign()  # another node's clone may be newer
        return outcome

    async def _lead(self, tip: Revision, control: Control, progress: Progress | None, check: Check | None) -> Outcome:
        if self._outdated or self._only_watched:
            self.held, self._outdated, self._only_watched = None, False, False
        held = self.held = self.held or await self._take_stock(tip)
        begun = await self._begun(held.record, tip)
        if begun is not None:
            outcome = await self._bring(held, begun, control, progress, check)
            if outcome.result == "refused":
                return msgspec.structs.replace(outcome, begun=True)
            log.info("finished what was begun", commit=begun.commit.short)
            control = await self._orders()
            if control.pause is not None:
                return Outcome("paused", revision=tip)
        return await self._bring(held, tip, control, progress, check)

    async def _only_watch(self, tip: Revision) -> None:
        """Read what the store holds for those who want to see it; who writes takes stock anew."""
        if self._outdated:
            self.held, self._outdated = None, False
        if self.held is None:
            self.held, self._only_watched = await self._survey.hold(tip.tree.desired.keys), True

    async def _ineligible(self, tip: Revision, control: Control) -> Outcome | None:
        """Refuse to campaign with a tip that does not follow what the store holds, unless that was approved."""
        await self._survey.demand_rights()
        entry = await self._store.own("revision")
        record = decode(entry.value) if entry else None
        if await self._survey.relation(record, tip.commit.id) in FORWARD:
            return None
        if record and record.applying and record.applying.commit == tip.commit.id:
            return None
        held = await self._survey.hold(tip.tree.desired.keys)
        plan = (await self._plan(held, tip)).approve(control.approves(self._now()))
        return Outcome("refused", plan, tip) if plan.refusals else None

    async def _take_stock(self, tip: Revision) -> Held:
        """Read in full; before that, where an attempt may still be under way, move the record so that it dies.

        Where the record or any key is older than it was, a snapshot was restored: the store gets a new epoch.
        """
        entry = await self._store.own("revision")
        record = decode(entry.value) if entry else None
        index = entry.index if entry else 0
        back = record is not None and self._epochs.is_back(record.epoch, index)
        if self._in_doubt or back or (record is not None and record.applying is not None):
            await self._survey.demand_rights()
            await self._applier.move(record, index, self.lineage(), renewed=back)
        self._in_doubt = False
        held = await self._survey.hold(tip.tree.desired.keys)
        if not back and held.is_older_than(self._seen):
            await self._applier.move(held.record, held.index, self.lineage(), renewed=True)
            held = await self._survey.hold(tip.tree.desired.keys)
        self._seen = held
        self._note(held)
        return held

    def _note(self, held: Held) -> None:
        if held.record is not None:
            self._epochs.note(held.record.epoch, held.index)

    async def _orders(self) -> Control:
        entry = await self._store.own("control")
        return control_text.decode(entry.value if entry else None)

    async def _begun(self, record: Record | None, tip: Revision) -> Revision | None:
        """Return the revision that was begun and must be finished before the tip."""
        if record is None or record.applying is None or record.applying.worktree:
            return None
        if record.applying.commit == tip.commit.id:
            return None
        try:
            return await self._source.read(record.applying.commit)
        except (GitError, TreeError):
            # Only an approved tip gets here without that commit at hand: it supersedes what was begun.
            return None

    async def _bring(
        self, held: Held, revision: Revision, control: Control, progress: Progress | None, check: Check | None
    ) -> Outcome:
        touched = frozenset(held.touched)
        plan = await self._plan(held, revision)
        held.touched -= touched  # no sooner: a plan that failed has looked at nothing
        applying = held.record.applying if held.record else None
        order, approval = control.approves(self._now()), None
        resumed = plan.resume(applying)
        if applying is not None and resumed is not plan:
            plan, approval = resumed, applying.approval
        if check is not None:
            check(plan)
        approved = plan.approve(order)
        if approved is not plan:
            approval = order
        if approved.refusals:
            held.touched |= touched
            return Outcome("refused", approved, revision)
        self._spared = {left.key for left in approved.left if left.why == "rival"}
        held.touched |= self._spared
        stands = _stands(approved, held, revision)
        if stands and not approved.changes:
            held.settled = _settled(approved, revision)
        elif stands and not approved.lifted:
            await self._heal(held, approved, revision)
        else:
            await self._apply(held, approved, revision, approval if approved.lifted else None, progress)
        return Outcome(
            "applied" if approved.changes or not stands else "unchanged",
            approved,
            revision,
            healed=stands and bool(approved.changes) and not approved.lifted,
            drift=reported(approved, revision.tree.desired.keys, held.live),
            looked=touched | {change.key for change in approved.changes} if approved.partial else None,
        )

    async def _heal(self, held: Held, plan: Plan, revision: Revision) -> None:
        self.held, self._in_doubt = None, True
        await self._healer.heal(plan, held)
        self.held, self._in_doubt = held, False
        held.settled = _settled(plan, revision)

    async def _apply(
        self, held: Held, plan: Plan, revision: Revision, approval: str | None, progress: Progress | None
    ) -> None:
        before = held.settled, held.record.applied if held.record else None
        self.held, self._in_doubt = None, True
        await self._applier.apply(plan, held, approval=approval, lineage=self.lineage(), progress=progress)
        self.held, self._in_doubt = held, False
        self._note(held)
        held.settled = _settled(plan, revision)
        self._remember(held, revision, before)

    async def _plan(self, held: Held, revision: Revision) -> Plan:
        return await self._survey.plan(held, revision, lineage=self.lineage(), resting=self._healer.resting())

    def lineage(self) -> str | None:
        """Return the id of the history that this node has applied here, None where it never has."""
        return self._state.recall("lineage") if self._state else None

    def _remember(self, held: Held, revision: Revision, before: tuple[Revision | None, Applied | None]) -> None:
        if self._state is None or held.record is None or held.record.applied is None:
            return
        if self.lineage() != held.record.lineage:
            self._state.remember("lineage", held.record.lineage)
        settled, applied = before
        step = settled is not None and revision.since == settled.commit.id
        self._state.keep_base(
            held.record.applied, revision.tree.desired.keys, applied if step else None, revision.changed
        )


def _settled(plan: Plan, revision: Revision) -> Revision | None:
    """Return the revision if later plans need only look at what changed since: not while deletes are withheld."""
    return None if plan.withheld else revision


def _stands(plan: Plan, held: Held, revision: Revision) -> bool:
    """Tell whether the record says already what it would say after an apply."""
    record = held.record
    if record is None or record.applied is None or record.applying is not None:
        return False
    applied = record.applied
    same = (applied.commit, applied.worktree) == (revision.commit.id, revision.commit.worktree)
    kept = (record.rebuilt, record.orphans) == (plan.rebuilt, plan.orphans)
    return same and applied.digest == digest.render(plan.digest) and kept
