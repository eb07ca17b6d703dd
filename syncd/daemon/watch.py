"""Following one part of the keys by blocking queries."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from syncd.core.cursor import Cursor
from syncd.core.errors import Kind, SyncdError
from syncd.core.live import Entry
from syncd.core.mirror import Observed
from syncd.core.shards import WHOLE, Shard, span
from syncd.core.timing import backoff
from syncd.daemon.survey import Held, Survey
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

WAIT_SECONDS: Final = 55.0
GAP_SECONDS: Final = 600.0
"""After a silence of ten minutes a delete may have left no trace: Consul forgets it after fifteen."""


class Listener(Protocol):
    """Who a watch works for."""

    async def held(self) -> Held:
        """Return what is to be kept true now; wait while a pass is under way or nothing is held."""
        ...

    def note(self, held: Held, changed: tuple[Observed, ...]) -> None:
        """Hear of changes."""
        ...

    def reset(self, held: Held, why: str) -> None:
        """Hear that only a read in full can tell what the store holds."""
        ...


class Watch:
    """Takes one shard's answers into the mirror; ``clock`` goes on through suspends, ``draw`` gives [0, 1)."""

    def __init__(
        self,
        store: Store,
        survey: Survey,
        shard: Shard,
        listener: Listener,
        *,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._store = store
        self._survey = survey
        self._shard = shard
        self._listener = listener
        self._clock = clock
        self._draw = draw

    async def run(self) -> None:
        """Follow until no key is left: the watch would then wake on its neighbours' writes."""
        failures, over = 0, False
        while not over:
            held = await self._listener.held()
            try:
                over = await self._follow(held)
                failures = 0
            except SyncdError as error:
                log.debug("watch failed", part=self._shard.prefix, error=str(error))
                if error.kind is Kind.STALLED:
                    self._listener.reset(held, error.message)
                failures += 1
                await asyncio.sleep(backoff(failures, self._draw()))

    async def _follow(self, held: Held) -> bool:
        """Follow while the same is held; tell whether the shard is empty now."""
        cursor, heard = Cursor(held.listed), self._clock()
        while True:
            sent = self._clock()
            found, index = await self._store.watch_prefix(
                self._shard.prefix, cursor.index, exact=self._shard.exact, wait=WAIT_SECONDS
            )
            answered = self._clock()
            if await self._listener.held() is not held:
                return False
            changed = await self._merge(held, found, index)
            cursor, seen = cursor.observe(index, early=answered - sent < WAIT_SECONDS, contradicted=changed is None)
            if seen == "reset" or answered - heard > GAP_SECONDS:
                self._listener.reset(held, "it may have gone back in time" if seen == "reset" else "a long silence")
                return False
            self._listener.note(held, changed or ())
            if self._shard != WHOLE and self._weight(held) == 0:
                return True
            heard = answered

    async def _merge(self, held: Held, found: Mapping[str, Entry] | None, index: int) -> tuple[Observed, ...] | None:
        if found is None:
            return ()
        if len(found) < self._weight(held):  # deletes, or a token that may see less than before
            await self._survey.demand_rights()
        return held.mirror.merge(self._shard, found, index)

    def _weight(self, held: Held) -> int:
        low, high = span(held.mirror.keys(), self._shard)
        return high - low
