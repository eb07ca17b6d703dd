"""Whose turn it is to take the scheduled snapshot of a date: between nodes that would take it at once, one does.

While a person has ordered a pause nothing is written, a claim neither: one after the other takes what its directory
lacks.
"""

from collections.abc import Callable
from typing import Final

from syncd.core import control
from syncd.core.errors import Conflict, RecordError
from syncd.core.live import Entry
from syncd.core.record import decode as decode_record
from syncd.core.snapshots.claim import Claim, decode, delay, encode
from syncd.core.snapshots.schedule import Due
from syncd.daemon.lease import Lease
from syncd.store.store import Store

NAME: Final = "snapshot"
"""The claim stands at ``.syncd/snapshot``."""


class Turn:
    """One process's turns. ``id_`` is random, ``holder`` names the process to people; ``now`` gives Unix seconds."""

    def __init__(self, store: Store, lease: Lease, *, id_: str, holder: str, now: Callable[[], float]) -> None:
        self._store = store
        self._lease = lease
        self._id = id_
        self._holder = holder
        self._now = now
        self._claim: Claim | None = None

    async def is_mine(self) -> bool:
        """Tell whether snapshots are this node's to take: it leads, or nobody does (all are paused, say)."""
        if self._lease.leading:
            return True
        entry = await self._store.own("lease")
        return entry is None or not entry.session

    async def stake(self, due: Due) -> None:
        """Claim the snapshot of a date, or while paused wait for our time; Conflict where it is another one's."""
        own, _ = await self._store.watch_all_own(0)
        self._claim = None
        if _paused(own.get("control")):
            if due.at <= self._now() < due.at + delay(self._id):
                raise Conflict("syncd is paused: nodes take their snapshots one after the other")
            return
        entry = own.get(NAME)
        wanted = Claim(due.day, self._id, self._holder, _epoch(own.get("revision")), int(self._now()))
        found = decode(entry.value if entry else None)
        if found is not None and found.bars(wanted, leading=self._lease.leading):
            raise Conflict(f"{found.holder} is taking the snapshot of {due.day}")
        if found is None or not found.same(wanted):
            await self._store.put_own(NAME, encode(wanted), index=entry.index if entry else 0)
        self._claim = wanted

    async def confirm(self) -> None:
        """Prove that the claim stands, if one was made; Conflict where another one took its place, or a restore."""
        claim = self._claim
        if claim is None:
            return
        entry = await self._store.own(NAME)
        found = decode(entry.value if entry else None)
        if found is None or not found.same(claim):
            raise Conflict(f"the claim on the snapshot of {claim.date} was lost; what had come was thrown away")


def _paused(entry: Entry | None) -> bool:
    """Tell whether a pause stands; an order that cannot be read may be one."""
    try:
        return control.decode(entry.value if entry else None).pause is not None
    except RecordError:
        return True


def _epoch(entry: Entry | None) -> str:
    """Read the store's epoch; a record that cannot be read has none, and keeps nobody from taking a snapshot."""
    try:
        return decode_record(entry.value).epoch if entry is not None else ""
    except RecordError:
        return ""
