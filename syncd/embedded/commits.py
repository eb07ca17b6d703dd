"""Group commit: changes that come together, or while a commit runs, share the next one."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy

from syncd.embedded.database import Database
from syncd.embedded.errors import NotStored
from syncd.embedded.state import Indexes
from syncd.embedded.step import Changes
from syncd.log import get_logger

_log = get_logger(__name__)


class Commits:
    """The way from a changed state to the disk, through one writer thread.

    ``durable`` is called with what has been committed. ``go_back`` is called when the disk refused a commit: it makes
    the state again what the disk has, because nobody was answered yet.
    """

    def __init__(self, database: Database, durable: Callable[[Changes], None], go_back: Callable[[], None]) -> None:
        self._database = database
        self._durable = durable
        self._go_back = go_back
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, "embedded-log")
        self._changes = Changes()
        self._indexes = Indexes()
        self._next: asyncio.Future[None] | None = None
        self._running: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost: NotStored | None = None

    def add(self, changes: Changes, indexes: Indexes) -> None:
        """Have ``changes`` committed, with the indexes that they lead to."""
        if not changes:
            return
        self._changes.add(changes)
        self._indexes = copy(indexes)
        if self._next is None:
            self._next = self._loop.create_future()
        if self._task is None:
            self._task = self._loop.create_task(self._commit_all())

    async def settled(self) -> None:
        """Wait until all that was added is durable; NotStored if it never will be."""
        if self._lost:
            raise self._lost
        done = self._next or self._running
        if done is not None:
            await asyncio.shield(done)

    async def close(self) -> None:
        """Commit what was added and stop."""
        if self._task:
            await self._task
        self._writer.shutdown()

    async def _commit_all(self) -> None:
        # This starts in the next turn of the loop: all that this turn adds is in the first commit.
        while self._next is not None:
            self._running, self._next = self._next, None
            changes, self._changes = self._changes, Changes()
            await self._commit(changes, self._running)
        self._running = self._task = None

    async def _commit(self, changes: Changes, done: asyncio.Future[None]) -> None:
        try:
            await self._loop.run_in_executor(self._writer, self._database.commit, changes, self._indexes)
        except Exception as problem:  # noqa: BLE001  # whatever it was, nobody may wait for ever
            self._refuse(done, problem)
        else:
            done.set_result(None)
            self._durable(changes)

    def _refuse(self, done: asyncio.Future[None], problem: Exception) -> None:
        """Refuse a commit, and what was built on it meanwhile."""
        _log.error("the embedded store cannot write its database: nothing is acknowledged", problem=str(problem))
        refusal = NotStored(f"the embedded store cannot write its database: {problem}")
        for each in (done, self._next):
            if each is not None:
                each.set_exception(refusal)
                each.exception()  # nobody may be waiting for it
        self._changes, self._next = Changes(), None
        try:
            self._go_back()
        except Exception as worse:  # noqa: BLE001  # the state is not what anybody was told: answer nothing more
            self._lost = NotStored(f"the embedded store cannot read its database, restart it: {worse}")
