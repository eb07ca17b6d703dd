"""Keeping the mirror true: parked watches over parts of the keys, and a look at the space between them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from syncd.core.burst import Burst
from syncd.core.errors import SyncdError
from syncd.core.mirror import Observed
from syncd.core.shards import Cover, Shard, cut, is_crowded, is_watchable
from syncd.daemon.service import QUERY_SECONDS, Pulse
from syncd.daemon.survey import Held, Survey
from syncd.daemon.watch import Watch
from syncd.log import get_logger
from syncd.store.store import Store

log = get_logger(__name__)

MOST_WATCHES: Final = 61
"""With those on syncd's own keys at most 64: Consul takes 200 connections from one address."""
CUT_INTO: Final = 60
ROOM: Final = 12
"""So many fewer where more keys came up between the parts than there are watches left."""
RECUT_SECONDS: Final = 60.0
"""A query that is given up keeps its connection until its wait is over, so there must not be many of them."""
SWEEP_SECONDS: Final = 5.0
SWEEP_SHARE: Final = 100.0
"""Sweeps take a hundredth of the time at most."""
FEW_UNKNOWN: Final = 200


class Observer:
    """Sees every change of the store, whoever made it, and says which keys changed.

    It keeps true what the daemon holds; while a pass is under way, or nothing is held, answers wait. ``clock`` gives
    seconds and goes on through suspends, ``draw`` random numbers in [0, 1).
    """

    def __init__(
        self,
        store: Store,
        survey: Survey,
        *,
        pulse: Callable[[str], Pulse],
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._store = store
        self._survey = survey
        self._pulse = pulse
        self._clock = clock
        self._draw = draw
        self._held: Held | None = None
        self._void: Held | None = None
        self._fitted: Held | None = None
        self._fitted_at = 0
        self._cover = Cover(())
        self._watches: dict[Shard, asyncio.Task[None]] = {}
        self._cut_at, self._cut_keys = float("-inf"), 0
        self._gate = asyncio.Semaphore()
        self._burst: Burst | None = None
        self._stirred = asyncio.Event()
        self._held_now = asyncio.Event()
        self._unfit = asyncio.Event()
        self._lost: Callable[[], None] = lambda: None
        self.wakes = 0

    def follow(self, held: Held | None) -> None:
        """Keep this true from now on; None: nothing, until a pass is over or the store has been read anew."""
        self._held = None if held is self._void else held
        if self._held is None:
            self._held_now.clear()
        else:
            self._held_now.set()
            self._unfit.set()

    async def run(self, changed: Callable[[], None], lost: Callable[[], None]) -> None:
        """Watch for ever. ``changed``: keys were touched; ``lost``: only a read in full can tell what changed."""
        self._lost = lost
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell(changed))
            group.create_task(self._sweep())
            while True:
                await self._unfit.wait()
                self._unfit.clear()
                if self._held is not None:
                    self._fit(self._held)
                self._park(group)

    # -- what watches tell

    async def held(self) -> Held:
        """Return what is held once it is."""
        while self._held is None:
            await self._held_now.wait()
        return self._held

    def note(self, held: Held, changed: tuple[Observed, ...]) -> None:
        """Have the next pass look at keys."""
        self.wakes += 1
        if changed:
            held.touched.update(each.key for each in changed)
            now = self._clock()
            self._burst = self._burst.more(now) if self._burst else Burst(now, now)
            self._stirred.set()

    def reset(self, held: Held, why: str) -> None:
        """Give up what is held: only a read in full can tell what the store holds."""
        if held is not self._void:
            self._void = held
            log.warning("the store is read anew", why=why)
            self._lost()
        self.follow(self._held)

    async def _tell(self, changed: Callable[[], None]) -> None:
        """Wait until a burst of changes is over."""
        while True:
            await self._stirred.wait()
            left = self._burst.due - self._clock() if self._burst is not None else 0.0
            if left > 0:
                await asyncio.sleep(left)
                continue
            self._burst = None
            self._stirred.clear()
            changed()

    # -- the cover

    def _fit(self, held: Held) -> None:
        """Let the watches hold every key, none of them much more than its share."""
        fresh, moves = held is not self._fitted, held.mirror.moves
        if not fresh and moves == self._fitted_at:
            return
        self._fitted, self._fitted_at, keys = held, moves, held.mirror.keys()
        moved = not self._cut_keys / 2 <= len(keys) <= self._cut_keys * 2
        rested = self._cover.whole or self._clock() - self._cut_at > RECUT_SECONDS
        if not len(self._cover) or ((fresh or moved) and rested and is_crowded(self._cover, keys, CUT_INTO)):
            self._cut(keys, CUT_INTO)
        self._admit(self._cover.missing(keys))
        if rested and len(self._cover) == MOST_WATCHES and any(map(is_watchable, self._cover.missing(keys))):
            self._cut(keys, CUT_INTO - ROOM)

    def _cut(self, keys: Sequence[str], most: int) -> None:
        self._cover = Cover(cut(keys, most))
        self._cut_at, self._cut_keys = self._clock(), len(keys)

    def _admit(self, keys: Iterable[str]) -> None:
        """Take keys into the cover that no watch holds, as far as there is room."""
        for key in keys:
            if self._cover.find(key) is None and len(self._cover) < MOST_WATCHES:
                self._cover.extend(key)

    def _park(self, group: asyncio.TaskGroup) -> None:
        wanted = set(self._cover)
        for shard in self._watches.keys() - wanted:
            self._watches.pop(shard).cancel()
        for shard in wanted - self._watches.keys():
            self._watches[shard] = group.create_task(self._watch(shard))

    async def _watch(self, shard: Shard) -> None:
        pulse = self._pulse(f"watch of {shard.prefix!r}")
        watch = Watch(
            self._store, self._survey, shard, self, gate=self._gate, pulse=pulse, clock=self._clock, draw=self._draw
        )
        try:
            await watch.run()
        finally:
            pulse.rest()  # it ends when its part is empty, or is cut anew
        del self._watches[shard]
        self._cover.remove(shard)

    async def _sweep(self) -> None:
        """Look now and then for keys that came up where no watch looks."""
        pause, pulse = SWEEP_SECONDS, self._pulse("sweep")
        while True:
            pulse.tick(pause)
            await asyncio.sleep(pause)
            pulse.rest()
            held = await self.held()
            pulse.tick(QUERY_SECONDS)
            if self._cover.whole:
                continue
            began = self._clock()
            try:
                unknown = self._unknown(held, await self._store.names())
            except SyncdError as error:
                log.debug("sweep failed", error=str(error))
                continue
            if len(unknown) > FEW_UNKNOWN:
                self.reset(held, "many new keys")
            self._admit(unknown)
            self._unfit.set()
            pause = max(SWEEP_SECONDS, SWEEP_SHARE * (self._clock() - began))

    def _unknown(self, held: Held, names: Iterable[str]) -> list[str]:
        known, find = held.live, self._cover.find
        return [name for name in names if name not in known and find(name) is None and is_watchable(name)]
