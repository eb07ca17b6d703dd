"""The right to write: a lock held through a session, given up by our own clock."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from syncd.core.errors import Conflict, SyncdError
from syncd.core.lease import LeaseEvent, LeaseState, holder_of, move
from syncd.core.live import Entry
from syncd.core.timing import Term
from syncd.daemon.service import Pulse
from syncd.daemon.state import State
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)


class Lease:
    """One node's claim to the lease of one prefix.

    ``clock`` gives seconds and goes on through suspends; ``value`` is what people read at the lease's key.
    """

    def __init__(
        self, store: Store, state: State | None, *, value: bytes, ttl: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._memory = state
        self._value = value
        self._ttl = ttl
        self._clock = clock
        self._term = Term(0.0, 0.0)
        self._turn = asyncio.Lock()
        self._doubt = asyncio.Event()
        self._failing = False
        self.state = LeaseState.IDLE
        self.session = ""
        self.recalled = False
        """Whether the session is one that an earlier process made and did not give back: it died."""
        self.holder = ""

    @property
    def leading(self) -> bool:
        """Tell whether a write may be sent now."""
        if self.state is LeaseState.LEADING and not self._term.holds(self._clock()):
            self._move(LeaseEvent.EXPIRED)
            log.warning("lease ran out by this node's own clock", seconds=self._ttl)
        return self.state is LeaseState.LEADING

    def demand(self) -> None:
        """Raise Conflict unless a write may be sent now."""
        if not self.leading:
            raise Conflict("this node no longer holds the lease", hint="another node may lead now; nothing was sent")

    async def campaign(self) -> bool:
        """Try to get the lock; False, with ``holder`` named, where somebody else has it."""
        async with self._turn:
            return await self._campaign()

    async def _campaign(self) -> bool:
        sent = self._clock()  # the term counts from the session's renewal, not from the lock
        await self._open()
        if await self._store.acquire(self.session, self._value):
            self._term = Term(sent, self._ttl)
            self._move(LeaseEvent.ACQUIRED)
            self.holder = holder_of(self._value)
            return True
        entry = await self._store.own("lease")
        if entry is None or not entry.session:
            raise Conflict("nobody holds the lease, but it was not given", hint="its last holder may just have gone")
        self.holder = holder_of(entry.value)
        self._move(LeaseEvent.HELD)
        return False

    def see(self, entry: Entry | None) -> None:
        """Note what stands at the lease's key; where it is not what this node wrote, have ``keep`` look at once."""
        ours = entry is not None and (entry.session, entry.value) == (self.session, self._value)
        if self.state is LeaseState.LEADING and not ours:
            self._doubt.set()

    async def keep(self, lost: Callable[[], None], pulse: Pulse | None = None) -> None:
        """Renew for ever, a third of the time to live apart; ``lost`` is called when the lead has gone."""
        while True:
            if pulse is not None:
                pulse.tick(self._ttl * 2 / 3)  # a renewal takes a third at most, and so does the wait after it
            due = self._clock() + self._ttl / 3
            self._doubt.clear()
            if await self.renew():
                lost()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - self._clock())):
                    await self._doubt.wait()

    async def renew(self) -> bool:
        """Renew once; True if this node led and leads no more.

        It takes a third of the time to live at most: after an answer that never comes there is time for another try.
        """
        led = self.state is LeaseState.LEADING
        try:
            async with asyncio.timeout(self._ttl / 3), self._turn:
                await self._renew()
            self._failing = False
        except TimeoutError:
            self._complain("no answer in time")
        except SyncdError as error:
            self._complain(str(error))
        return led and not self.leading

    def _complain(self, why: str) -> None:
        """Tell that renewals fail when they begin to, not every few seconds."""
        if not self._failing:
            log.warning("lease could not be renewed", error=why)
        self._failing = True

    async def resign(self) -> None:
        """Release, then destroy: in that order the next node need not wait."""
        async with self._turn:
            await self._resign()

    async def _resign(self) -> None:
        if self.state is LeaseState.IDLE:
            return
        session, self.session = self.session, ""
        led = self.state is LeaseState.LEADING
        self._move(LeaseEvent.RESIGNED)
        if led:
            await self._store.release(session)
        await self._store.destroy_session(session)
        self._remember(None)

    async def _open(self) -> None:
        if self.state is LeaseState.LEADING:
            self._move(LeaseEvent.EXPIRED)
        if self.state is LeaseState.STANDBY:
            if await self._store.renew_session(self.session):
                return
            self._move(LeaseEvent.LOST)
        known = self._memory.recall("session") if self._memory else None
        if known and await self._store.renew_session(known):
            self.session, self.recalled = known, True
        else:
            self.recalled = False
            self.session = await self._store.create_session("syncd", self._ttl)
            self._remember(self.session)
        self._move(LeaseEvent.OPENED)

    async def _renew(self) -> None:
        if self.state is LeaseState.IDLE:
            return
        sent, session = self._clock(), self.session
        if not await self._store.renew_session(session):
            self._lose("the store ended the session")
            return
        if self.state is LeaseState.STANDBY:
            return
        if not await self._holds_lock(session):
            log.warning("lease lost", why="the lock is gone from the lease's key")
            if self.state is LeaseState.LEADING:
                self._move(LeaseEvent.EXPIRED)
        elif self.state is LeaseState.LEADING:
            self._term = Term(sent, self._ttl)
            self._move(LeaseEvent.RENEWED)

    async def _holds_lock(self, session: str) -> bool:
        """Tell whether the lock is ours, and mend its value where somebody wrote another."""
        entry = await self._store.own("lease")
        if entry is None or entry.session != session:
            return False
        if entry.value == self._value:
            return True
        log.warning("lease key was overwritten by somebody; repairing it")
        return await self._store.acquire(session, self._value)

    def _lose(self, why: str) -> None:
        log.warning("lease lost", why=why)
        if self.state is not LeaseState.IDLE:
            self._move(LeaseEvent.LOST)
        self.session = ""
        self._remember(None)

    def _move(self, event: LeaseEvent) -> None:
        self.state = move(self.state, event)

    def _remember(self, session: str | None) -> None:
        if self._memory is not None:
            self._memory.remember("session", session)


async def held_by_other(store: Store) -> str | None:
    """Name who holds the lease now, or None."""
    entry = await store.own("lease")
    return holder_of(entry.value) if entry is not None and entry.session else None
