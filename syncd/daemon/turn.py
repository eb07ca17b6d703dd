"""Whose turn it is to take the scheduled snapshot of a date: between nodes that would take it at once, one does."""

from collections.abc import Callable
from datetime import date
from typing import Final

from syncd.core.errors import Conflict, RecordError
from syncd.core.live import Entry
from syncd.core.record import decode as decode_record
from syncd.core.snapshots.claim import Claim, decode, encode
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

    async def stake(self, day: date) -> None:
        """Claim the snapshot of a date; Conflict where it is another one's."""
        own, _ = await self._store.watch_all_own(0)
        entry = own.get(NAME)
        wanted = Claim(day, self._id, self._holder, _epoch(own.get("revision")), int(self._now()))
        found = decode(entry.value if entry else None)
        if found is not None and found.bars(wanted, leading=self._lease.leading):
            raise Conflict(f"{found.holder} is taking the snapshot of {day}")
        if found is None or not found.same(wanted):
            await self._store.put_own(NAME, encode(wanted), index=entry.index if entry else 0)
        self._claim = wanted

    async def confirm(self) -> None:
        """Prove that the claim stands; Conflict where another one has taken its place, or a restore."""
        claim = self._claim
        assert claim is not None
        entry = await self._store.own(NAME)
        found = decode(entry.value if entry else None)
        if found is None or not found.same(claim):
            raise Conflict(f"the claim on the snapshot of {claim.date} was lost; what had come was thrown away")


def _epoch(entry: Entry | None) -> str:
    """Read the store's epoch; a record that cannot be read has none, and keeps nobody from taking a snapshot."""
    try:
        return decode_record(entry.value).epoch if entry is not None else ""
    except RecordError:
        return ""
