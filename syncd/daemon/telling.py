"""What subscribers are told after a pass, and whether they may be."""

from syncd.core.errors import StateError
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.lease import Lease
from syncd.daemon.outcome import Outcome
from syncd.daemon.own_keys import OwnKeys
from syncd.daemon.publisher import Publisher
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.survey import Held


class Telling:
    """Publishes what is whole, and lets the dispatcher begin once something is."""

    def __init__(
        self, own: OwnKeys, reconciler: Reconciler, publisher: Publisher, dispatcher: Dispatcher, lease: Lease
    ) -> None:
        self._own = own
        self._reconciler = reconciler
        self._publisher = publisher
        self._dispatcher = dispatcher
        self._lease = lease
        self._unpublished: StateError | None = None

    async def tell(self, outcome: Outcome | None) -> StateError | None:
        """Tell subscribers what is whole now; return what keeps it from them, which is tried again.

        After a pass that failed nothing is told: it might be what the next one heals.
        """
        held = self._reconciler.held
        if held is None or outcome is None or not await self._stands(held, outcome):
            self.step_back()
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

    def step_back(self) -> None:
        """Start no more tries for the leader's subscribers where this node leads no more: a successor tells them."""
        if self._publisher.view.ready and not self._lease.leading:
            self._dispatcher.begin(leading=False)

    async def _stands(self, held: Held, outcome: Outcome) -> bool:
        """Prove that the record still is the one that is held, where no write of this pass has done so.

        Another node may have applied a revision since, of which the watches have told a part.
        """
        if outcome.result == "applied" or not self._publisher.owes(held):
            return True
        return await self._own.record_stands(held)
