"""Orders that people leave in the store for whoever leads; each leaves the others as they are."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from syncd.core import control
from syncd.core.control import APPROVAL_SECONDS, Approval, Control, Pause
from syncd.core.errors import Conflict
from syncd.store.store import Store

_ATTEMPTS: Final = 5


async def read(store: Store) -> Control:
    """Read the standing orders."""
    entry = await store.own("control")
    return control.decode(entry.value if entry else None)


async def approve(store: Store, hash_: str, author: str, now: float) -> Control:
    """Approve the plan of that hash from ``now`` (Unix seconds) on for an hour; return the orders as they stand."""
    approval = Approval(hash_, author, int(now) + APPROVAL_SECONDS)
    return await _give(store, lambda standing: replace(standing, approval=approval))


async def pause(store: Store, author: str, reason: str, now: float) -> Control:
    """Have nothing written until it is lifted; who paused first, and why, stays."""
    ordered = Pause(author, int(now), reason)
    return await _give(store, lambda standing: replace(standing, pause=standing.pause or ordered))


async def resume(store: Store) -> Control:
    """Lift a pause."""
    return await _give(store, lambda standing: replace(standing, pause=None))


async def _give(store: Store, change: Callable[[Control], Control]) -> Control:
    for attempt in range(1, _ATTEMPTS + 1):
        entry = await store.own("control")
        standing = control.decode(entry.value if entry else None)
        ordered = change(standing)
        if ordered == standing:
            return standing
        try:
            await store.put_own("control", control.encode(ordered), index=entry.index if entry else 0)
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
        else:
            return ordered
    raise AssertionError  # the last attempt returns or raises
