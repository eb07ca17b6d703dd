"""syncd's own keys in the store, as the daemon reads and watches them: orders, control record, lease."""

import asyncio
from collections.abc import Callable
from typing import Final

from syncd.core import control
from syncd.core.control import Control
from syncd.core.errors import StoreError, SyncdError
from syncd.core.keys import RESERVED
from syncd.core.live import Entry
from syncd.core.timing import backoff
from syncd.daemon.lease import Lease
from syncd.daemon.passes import Passes
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.report import Report
from syncd.daemon.service import QUERY_SECONDS, Pulse
from syncd.daemon.survey import Held
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

OWN_WAIT_SECONDS: Final = 20.0
"""A snapshot restored just before a query is parked leaves it waiting for its whole time: this one tells soon."""


class OwnKeys:
    """Reads and watches them; what others write there has a pass begin. ``draw`` gives random numbers in [0, 1)."""

    def __init__(
        self,
        store: Store,
        reconciler: Reconciler,
        lease: Lease,
        passes: Passes,
        report: Report,
        *,
        draw: Callable[[], float],
    ) -> None:
        self._store = store
        self._reconciler = reconciler
        self._lease = lease
        self._passes = passes
        self._report = report
        self._draw = draw
        self._record_index = 0

    def read_anew(self) -> None:
        """Have a pass begin that reads the store in full."""
        self._record_index = 0
        self._reconciler.forget()
        self._passes.want()

    # -- what a pass asks

    async def orders(self) -> Control:
        """Read the orders."""
        entry = await self._store.own("control")
        orders = control.decode(entry.value if entry else None)
        self._take(orders)
        return orders

    def record_moved(self) -> bool:
        """Tell whether somebody else moved or deleted the record that is held."""
        held = self._reconciler.held
        return held is not None and self._record_index > held.index

    async def record_stands(self, held: Held) -> bool:
        """Prove that the record still is the one that is held; where it is not, the store is read anew."""
        try:
            entry = await self._store.own("revision")
            stands = (entry.index if entry else 0) == held.index
        except StoreError:
            stands = False
        if not stands:
            self.read_anew()
        return stands

    # -- what the watch tells

    async def watch(self, pulse: Pulse) -> None:
        """Follow all of them by one blocking query: one for each would wake for what its neighbours do."""
        index = seen = failures = 0
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
                self.read_anew()
            failures = 0
            # Consul wakes watches of a restored store with the old index: the next answer tells, if it need not wait.
            early = found == index and asyncio.get_running_loop().time() - sent < OWN_WAIT_SECONDS
            index, seen = 0 if early else found, found
            self._see_control(own.get("control"))
            self._see_record(own.get("revision"), found)
            self._see_lease(own.get("lease"))

    def _see_control(self, entry: Entry | None) -> None:
        try:
            news = self._take(control.decode(entry.value if entry else None))
        except SyncdError as error:  # every pass reads it again, and is refused, until it is mended
            self._report.store_error(error)
            self._passes.control, news = None, True
        if news:
            self._passes.want()

    def _take(self, orders: Control) -> bool:
        """Note the orders; True if they are new."""
        if orders == self._passes.control:
            return False
        self._passes.control = orders
        self._report.orders(orders)
        if orders.approval is not None:
            self.read_anew()  # what a person approved is a plan of everything, not of what a commit touched
        return True

    def _see_record(self, entry: Entry | None, index: int) -> None:
        """Note where the record stands; the index grows with its neighbours too, so only a loss counts."""
        held = self._reconciler.held
        if held is None and self._passes.error is not None:
            self._passes.want()  # somebody may have mended it
        if entry is None and (held is None or held.record is None):
            return
        self._record_index = max(self._record_index, entry.index if entry is not None else index)
        if self.record_moved():
            self._passes.want()

    def _see_lease(self, entry: Entry | None) -> None:
        self._lease.see(entry)
        if not self._lease.leading and (entry is None or not entry.session):
            self._passes.want()
