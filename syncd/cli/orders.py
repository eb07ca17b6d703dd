"""Orders that people leave in the store for whoever leads."""

import asyncio
import getpass
import os
import socket
import time
from typing import Final

from syncd.core import advice, record
from syncd.core.control import Pause
from syncd.core.errors import SyncdError
from syncd.core.record import Record
from syncd.daemon import orders as left
from syncd.daemon.orders import read as orders
from syncd.store.store import Store

__all__ = ["NotTaken", "Paused", "leave_approval", "orders", "person", "wait_until_applied"]

WAIT_SECONDS: Final = 60.0
_POLL: Final = 10.0


class Paused(SyncdError):
    """Somebody ordered that nothing is written."""

    exit_code = 3

    def __init__(self, pause: Pause, place: str) -> None:
        reason = f": {pause.reason}" if pause.reason else ""
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(pause.since))
        super().__init__(
            f"paused by {pause.author} since {since}{reason}",
            hint=f"to go on: {advice.resume(place)}",
        )


class NotTaken(SyncdError):
    """Whoever leads did not apply what was approved, or not in time."""

    exit_code = 75


async def leave_approval(store: Store, hash_: str) -> None:
    """Approve a plan; other orders stay as they are."""
    await left.approve(store, hash_, person(), time.time())


async def wait_until_applied(
    store: Store, commit: str, after: int, holder: str, *, seconds: float = WAIT_SECONDS
) -> Record:
    """Wait until the control record, beyond index ``after``, says that a commit is applied."""
    try:
        async with asyncio.timeout(seconds):
            return await _applied(store, commit, after)
    except TimeoutError:
        raise NotTaken(
            f"{holder} has not applied commit {commit[:7]} within {seconds:g} s",
            hint="look at its log: it may follow another commit, or see another plan; the approval stands for an hour",
        ) from None


async def _applied(store: Store, commit: str, after: int) -> Record:
    index = 0
    while True:
        entry, index = await store.watch_own("revision", index, wait=_POLL)
        if entry is None or entry.index <= after:
            continue
        found = record.decode(entry.value)
        if found.applying is None and found.applied is not None and found.applied.commit == commit:
            return found


def person() -> str:
    """Name who gives an order."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
