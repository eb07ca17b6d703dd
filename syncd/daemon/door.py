"""What may be asked of a running daemon, and ordered; how one asks (HTTP) is not its business."""

import asyncio
from collections.abc import Callable
from typing import Final

from syncd.core import saved
from syncd.core.control import Control
from syncd.core.errors import GitError, NotFound, SyncdError
from syncd.core.problems import TreeError
from syncd.core.saved import Around, SavedPlan
from syncd.daemon import orders
from syncd.daemon.answers import LiveOrders, LiveStatus, SyncAnswer, SyncResult, problems_of, trouble_of
from syncd.daemon.backlog import Backlog
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.observer import Observer
from syncd.daemon.passes import Passes
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.status import MOST_PROBLEMS, Status, told_orders
from syncd.daemon.survey import Held, Survey
from syncd.daemon.view import View
from syncd.fanout.sender import Result
from syncd.fanout.stream import Streams
from syncd.git.source import Revision, Source
from syncd.log import get_logger
from syncd.store.store import Store

__all__ = ["Door", "LiveStatus", "NotNow", "SyncAnswer"]

log = get_logger(__name__)

SYNC_SECONDS: Final = 60.0
"""How long at most somebody waits for a pass or a delivery."""
_HELD_SECONDS: Final = 10.0


class NotNow(SyncdError):
    """The daemon cannot answer this at the moment."""

    exit_code = 75


class Door:
    """The daemon's parts, for those who ask.

    ``now`` gives Unix seconds; ``late`` names the loops that do not come round.
    """

    def __init__(
        self,
        status: Status,
        source: Source,
        store: Store,
        survey: Survey,
        reconciler: Reconciler,
        observer: Observer,
        passes: Passes,
        view: View,
        dispatcher: Dispatcher,
        streams: Streams,
        backlog: Backlog,
        *,
        late: Callable[[], tuple[str, ...]],
        worktree: bool,
        now: Callable[[], float],
    ) -> None:
        self._source = source
        self._store = store
        self._survey = survey
        self._reconciler = reconciler
        self._worktree = worktree
        self._tests: set[asyncio.Task[Result]] = set()
        self.status = status
        self.passes = passes
        self.view = view
        self.observer = observer
        self.dispatcher = dispatcher
        self.streams = streams
        self.backlog = backlog
        self.late = late
        self.now = now

    async def ready(self) -> None:
        """Wait until a whole revision is published, or the daemon stops."""
        while not self.view.ready and not self.passes.stopping:
            await self.passes.over()

    async def plan(self) -> SavedPlan:
        """Draw up the plan for the branch's tip from what is held of the store; writes nothing.

        TreeError where the tip is invalid, NotNow while nothing is held.
        """
        revision = await self._read()
        while True:
            held, ended = await self._held(), self.passes.begun
            whole = Held(held.mirror, held.record, held.index, held.listed)
            made = await self._survey.plan(whole, revision, lineage=self._reconciler.lineage())
            made = made.resume(held.record.applying if held.record else None)
            base = await self._survey.base(held.record)
            if ended == self.passes.begun:  # else a pass has moved what was compared
                return saved.save(made, Around(self._source.path, held.record, held.index, base.origin))

    async def sync(self, commit: str = "") -> SyncAnswer:
        """Have a pass begin and wait for its end; with a commit, until that or a newer one is applied.

        Waits 60 s at most, and answers what the last pass came to. NotFound where there is no such commit.
        """
        commit = await self._resolve(commit) if commit else ""
        self.passes.want()
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                await self.passes.fresh()
                answer = await self._answer(commit)
                while not self._is_final(answer, commit):
                    await self.passes.over()
                    answer = await self._answer(commit)
                return answer
        except TimeoutError:
            return await self._answer(commit)

    async def approve(self, hash_: str, author: str) -> LiveOrders:
        """Approve the plan of that hash for an hour."""
        return self._ordered(await orders.approve(self._store, hash_, author, self.now()))

    async def pause(self, author: str, reason: str) -> LiveOrders:
        """Have nothing written until ``resume``."""
        return self._ordered(await orders.pause(self._store, author, reason, self.now()))

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

    async def _read(self) -> Revision:
        try:
            return await (self._source.read_worktree() if self._worktree else self._source.read())
        except TreeError as error:
            raise error.below(self._source.path) from error

    async def _resolve(self, commit: str) -> str:
        try:
            return await self._source.resolve(commit)
        except GitError as error:
            raise NotFound(error.message, where=error.where, hint=error.hint) from None

    async def _held(self) -> Held:
        try:
            async with asyncio.timeout(_HELD_SECONDS):
                return await self.observer.held()
        except TimeoutError:
            error = self.passes.error
            why = f": {error.message}" if error else ""
            raise NotNow(f"the store is not known at the moment{why}", hint=error.hint if error else "") from None

    async def _answer(self, commit: str) -> SyncAnswer:
        passes, last, applied = self.passes, self.status.last(), self.status.applied()
        result, tip = self._result(), passes.tip.id if passes.tip else ""
        held, wanted = applied.commit if applied else "", commit or tip
        counts = commit or result not in ("refused", "invalid", "failed")  # uncommitted edits leave the commit the same
        return SyncAnswer(
            result=result,
            reached=bool(held and wanted and counts) and await self.status.follows(wanted, held),
            tip=tip,
            applied=held,
            counts=last.counts,
            withheld=last.withheld,
            refusals=last.refusals,
            hash=last.hash,
            holder=passes.outcome.holder if passes.outcome else "",
            problems=problems_of(passes.source_error)[:MOST_PROBLEMS],
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
        self.passes.want()
        return told_orders(control, self.now())
