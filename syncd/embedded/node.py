"""The running store: a state in memory, its durable log, and those who wait.

A write changes the state at once and is acknowledged when it is durable. Nothing is answered that is not.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from syncd.embedded import sessions
from syncd.embedded.apply import Outcome, apply
from syncd.embedded.commits import Commits
from syncd.embedded.database import Database
from syncd.embedded.records import Session
from syncd.embedded.restore import restore
from syncd.embedded.state import Image, State
from syncd.embedded.step import Changes, Step
from syncd.embedded.verbs import Operation
from syncd.embedded.watches import Topic, Watches

R = TypeVar("R")
_SWEEP_EVERY = 1.0  # seconds; sessions live 20 s at least, tombstones 15 minutes


class Node:
    """One store on one database."""

    def __init__(self, database: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._database = Database(database)
        self._commits = Commits(self._database, self._wake, self._go_back)
        self._watches = Watches()
        self._closing = False
        self._restores = 0
        self._state = self._load()
        self._sweeper = self._loop.call_later(_SWEEP_EVERY, self._sweep_often)

    @property
    def waiting(self) -> int:
        """The number of blocking queries."""
        return len(self._watches)

    async def write(self, operations: Sequence[Operation]) -> Outcome:
        """Apply ``operations`` as one step; return when it is durable."""
        outcome = apply(self._state, operations, self._clock())
        await self._settle(outcome.changes)
        return outcome

    async def create_session(self, request: sessions.Request) -> Session:
        """Add a session; return when it is durable."""
        session, changes = sessions.create(self._state, request, self._clock())
        await self._settle(changes)
        return session

    async def renew_session(self, name: str) -> Session | None:
        """Start the time to live anew; None if there is no such session."""
        session = self._state.sessions.get(name)
        if session:
            sessions.extend(self._state, session, self._clock())
        await self._settle(Changes())
        return session

    async def destroy_session(self, name: str) -> None:
        """End a session; return when that is durable."""
        await self._settle(sessions.destroy(self._state, name, self._clock()))

    async def read(
        self, topic: Topic, look: Callable[[State], tuple[int, R]], after: int = 0, wait: float = 0.0
    ) -> tuple[int, R]:
        """Look at the state; with ``after``, wait until what is seen has a higher index, or until the time is up."""
        deadline, restores = self._loop.time() + wait, self._restores
        index, seen = look(self._state)
        while after and index <= after and not self._closing and self._loop.time() < deadline:
            await self._change_of(topic, deadline)
            if self._restores != restores:
                break  # as Consul does: who waits is told what it knew, and sees by its next look that time went back
            index, seen = look(self._state)
        await self._settle(Changes())
        return index, seen

    async def image(self) -> Image:
        """Return all there is, as of one moment; what is not durable yet is waited for."""
        image = self._state.image()
        await self._settle(Changes())
        return image

    async def restore(self, image: Image) -> None:
        """Replace everything by ``image``, in one commit; return when that is durable."""
        changes = restore(self._state, image)
        self._state = self._alive(image)
        self._restores += 1
        await self._settle(changes)

    def drain(self) -> None:
        """Answer all blocking queries now, and each later one at once."""
        self._closing = True
        self._watches.wake_all()

    async def close(self) -> None:
        """Commit what is under way and let the database go."""
        self._sweeper.cancel()
        await self._commits.close()
        self._database.close()

    def sweep(self) -> None:
        """End the sessions, and forget the tombstones and lock delays, whose time is over."""
        now = self._clock()
        for name in self._state.expired(now):
            self._commits.add(sessions.destroy(self._state, name, now), self._state.indexes)
        step = Step(self._state, now)
        for key in self._state.stale_tombstones(now):
            step.reap(key)
        self._commits.add(step.keep(), self._state.indexes)
        self._state.forget_lock_delays(now)

    def _sweep_often(self) -> None:
        self.sweep()
        self._sweeper = self._loop.call_later(_SWEEP_EVERY, self._sweep_often)

    async def _change_of(self, topic: Topic, deadline: float) -> None:
        woken = self._loop.create_future()
        timer = self._loop.call_at(deadline, _end, woken)
        with self._watches.park(topic, woken):
            try:
                await woken
            finally:
                timer.cancel()

    async def _settle(self, changes: Changes) -> None:
        self._commits.add(changes, self._state.indexes)
        await self._commits.settled()

    def _wake(self, changes: Changes) -> None:
        if changes.restored:
            self._watches.wake_all()
        self._watches.notify(changes.entries, sessions=bool(changes.sessions))

    def _go_back(self) -> None:
        self._state = self._load()

    def _load(self) -> State:
        return self._alive(self._database.load())

    def _alive(self, image: Image) -> State:
        """Make a state of what was kept; sessions and tombstones get their time to live anew."""
        now = self._clock()
        state = State(image, now)
        for session in state.sessions.values():
            sessions.extend(state, session, now)
        return state


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
