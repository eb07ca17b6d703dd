"""Following one part of the keys by blocking queries."""

import asyncio
from collections.abc import Callable, Mapping
from math import isqrt
from typing import Final, NamedTuple, Protocol

from syncd.core.cursor import Cursor, CursorState
from syncd.core.errors import Kind, SyncdError
from syncd.core.live import Entry
from syncd.core.mirror import Observed
from syncd.core.shards import WHOLE, Shard, cut, span
from syncd.core.timing import backoff
from syncd.daemon.service import QUERY_SECONDS, Pulse
from syncd.daemon.survey import Held, Survey
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

WAIT_SECONDS: Final = 55.0
HEAVY: Final = 2_500
"""The answer about so many keys takes longer than to find out first which part of them moved."""
PARTS: Final = 40
FEWEST_PARTS: Final = 12
PACE: Final = 1e-5
"""Seconds of rest for each key of a shard after a change: a storm of writes is then read a few times a second."""
GAP_SECONDS: Final = 600.0
"""After a silence of ten minutes a delete may have left no trace: Consul forgets it after fifteen."""


def parts_for(weight: int) -> int:
    """Return into how many parts a heavy shard is searched: asking for one costs about as much as reading 64 keys."""
    return min(PARTS, max(FEWEST_PARTS, isqrt(weight // 64)))


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


class Answer(NamedTuple):
    """All keys of a shard and their index; None for the keys where nothing moved."""

    shard: Shard
    found: Mapping[str, Entry] | None
    at: int


class Watch:
    """Takes one shard's answers into the mirror; ``clock`` goes on through suspends, ``draw`` gives [0, 1).

    ``gate`` bounds how many read at once what all of them may have to read.
    """

    def __init__(
        self,
        store: Store,
        survey: Survey,
        shard: Shard,
        listener: Listener,
        *,
        gate: asyncio.Semaphore,
        pulse: Pulse,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._store = store
        self._survey = survey
        self._shard = shard
        self._listener = listener
        self._gate = gate
        self._pulse = pulse
        self._clock = clock
        self._draw = draw
        self._known: dict[Shard, int] = {}

    async def run(self) -> None:
        """Follow until no key is left: the watch would then wake on its neighbours' writes."""
        failures, over = 0, False
        while not over:
            held = await self._held()
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
        self._known.clear()
        while True:
            sent = self._clock()
            index, answers = await self._wait(held, cursor)
            answered = self._clock()
            if await self._held() is not held:
                return False
            changed = await self._merge(held, answers)
            cursor, seen = cursor.observe(index, early=answered - sent < WAIT_SECONDS, contradicted=changed is None)
            if seen == "reset" or answered - heard > GAP_SECONDS:
                self._listener.reset(held, "it may have gone back in time" if seen == "reset" else "a long silence")
                return False
            self._listener.note(held, changed or ())
            if self._shard != WHOLE and self._weight(held, self._shard) == 0:
                return True
            heard = answered
            if changed:
                await asyncio.sleep(PACE * self._weight(held, self._shard))
            del answers, changed  # while it is parked, a watch holds no second copy of its keys

    async def _wait(self, held: Held, cursor: Cursor) -> tuple[int, list[Answer]]:
        """Wait until the shard moves beyond the cursor; return where it stands and what is news about it."""
        weight = self._weight(held, self._shard)
        borrowed = cursor.state is CursorState.BORROWED
        if self._shard == WHOLE or self._shard.exact or (weight <= HEAVY and not borrowed):
            answer = await self._read(self._shard, cursor.index)
            return answer.at, [answer]
        self._pulse.tick(QUERY_SECONDS)
        moved = await self._store.moved(self._shard.prefix, cursor.index, wait=WAIT_SECONDS)
        if moved <= cursor.index:
            return moved, []
        self._pulse.rest()
        async with self._gate:  # after a full read, or an apply of many keys, every shard comes here at once
            if weight > HEAVY:
                return moved, await self._search(held, moved)
            answer = await self._read(self._shard, 0)
            return answer.at, [answer]

    async def _search(self, held: Held, moved: int) -> list[Answer]:
        """Read those parts of a heavy shard that moved; where none did, something new stands between them."""
        low, high = span(held.mirror.keys(), self._shard)
        parts = cut(held.mirror.keys()[low:high], parts_for(high - low))
        if WHOLE in parts:  # too many branches at once
            return [await self._read(self._shard, 0)]
        self._pulse.tick(QUERY_SECONDS)
        indexes = await asyncio.gather(*(self._store.moved(part.prefix) for part in parts))
        pairs = zip(parts, indexes, strict=True)
        news = [part for part, index in pairs if index > self._known.get(part, held.listed)]
        if max(indexes) < moved or not news:
            return [await self._read(self._shard, 0)]
        answers = [await self._read(part, 0) for part in news]
        self._known.update((answer.shard, answer.at) for answer in answers)
        return answers

    async def _held(self) -> Held:
        self._pulse.rest()
        held = await self._listener.held()
        self._pulse.tick(QUERY_SECONDS)
        return held

    async def _read(self, shard: Shard, index: int) -> Answer:
        self._pulse.tick(QUERY_SECONDS)
        found, at = await self._store.watch_prefix(shard.prefix, index, exact=shard.exact, wait=WAIT_SECONDS)
        return Answer(shard, found, at)

    async def _merge(self, held: Held, answers: list[Answer]) -> tuple[Observed, ...] | None:
        """Take answers into the mirror; None where one contradicts it."""
        changed: list[Observed] = []
        for shard, found, at in answers:
            if found is None:
                continue
            if len(found) < self._weight(held, shard):  # deletes, or a token that may see less than before
                await self._survey.demand_rights()
            merged = held.mirror.merge(shard, found, at)
            if merged is None:
                return None
            changed += merged
        return tuple(changed)

    def _weight(self, held: Held, shard: Shard) -> int:
        low, high = span(held.mirror.keys(), shard)
        return high - low
