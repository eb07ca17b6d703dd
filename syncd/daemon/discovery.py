"""Following the catalog: services whose meta asks for changes are told, besides those that the settings name."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final

from syncd.core.catalog import MOST_SUBSCRIBERS, PATH, Grant, Instance, Kept, keep, subscriber_of, without_twins
from syncd.core.errors import Kind, NotFound, SyncdError, Unreachable
from syncd.core.subscriber import Subscriber
from syncd.core.timing import backoff
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.line import target_of
from syncd.daemon.service import QUERY_SECONDS, Pulse
from syncd.log import get_logger
from syncd.store.catalog import Catalog

log = get_logger(__name__)

WAIT_SECONDS: Final = 55.0
MISSING_SECONDS: Final = 10.0
"""How long to wait for news while somebody is missing."""
PACE_SECONDS: Final = 3.0
PACE: Final = 20.0
"""Reads are this many times rarer than long: in a busy catalog any service's news wakes everybody."""
PAUSE_SECONDS: Final = 300.0
ROUND_SECONDS: Final = 300.0
REFUSED_SECONDS: Final = 60.0
PARALLEL: Final = 8
MOST_SERVICES: Final = 5_000


class Discovery:
    """Keeps the dispatcher's subscribers equal to ``fixed`` and those of the catalog.

    What cannot be read is no reason to forget anybody. ``clock`` goes on through suspends, ``draw`` gives [0, 1).
    """

    def __init__(
        self,
        catalog: Catalog,
        dispatcher: Dispatcher,
        fixed: Sequence[Subscriber],
        grants: Sequence[Grant],
        secret_file: str,
        *,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._fixed = fixed
        self._grants = grants
        self._secret_file = secret_file
        self._clock = clock
        self._draw = draw
        self._known: dict[str, Kept] = {}
        self._told: dict[str, Subscriber] = {}
        self._whole = False
        self._missing = False
        self._warned: dict[str, dict[str, str]] = {}
        self._refused = ""

    async def run(self, pulse: Pulse) -> None:
        """Follow the catalog, for ever."""
        index, failures = 0, 0
        while True:
            pulse.tick(QUERY_SECONDS + ROUND_SECONDS)
            try:
                index, pause = await self.follow(index)
                if self._refused:
                    log.info("the catalog can be read again")
                failures, self._refused = 0, ""
            except (SyncdError, TimeoutError) as error:
                failures += 1
                index, pause = 0, self._failed(error, failures)
            pulse.tick(pause)
            await asyncio.sleep(pause)

    async def follow(self, index: int) -> tuple[int, float]:
        """Wait for news, beyond an index, and look; return the new index and how many seconds to rest."""
        wait = MISSING_SECONDS if self._missing else WAIT_SECONDS
        names, found = await self._catalog.services(index, wait=wait)
        started = self._clock()
        async with asyncio.timeout(ROUND_SECONDS):
            await self.look(names)
        pause = min(PACE * (self._clock() - started), PAUSE_SECONDS)
        return found if found >= index else 0, max(PACE_SECONDS, pause)

    def _failed(self, error: SyncdError | TimeoutError, failures: int) -> float:
        """Say once what a person would have to change; return the seconds until the next try."""
        if isinstance(error, TimeoutError):
            error = Unreachable(f"one round over the catalog takes more than {ROUND_SECONDS:g} s")
        if error.kind is Kind.RETRY:
            log.debug("the catalog cannot be read", error=str(error))
            return backoff(failures, self._draw())
        if error.message != self._refused:
            self._refused = error.message
            advice = {"hint": error.hint} if error.hint else {}
            # The embedded store has none, and nobody need do anything about it.
            tell = log.debug if isinstance(error, NotFound) else log.info
            tell("no subscribers from the catalog", why=error.message, where=error.where, **advice)
        return REFUSED_SECONDS

    async def look(self, names: frozenset[str]) -> None:
        """Read every service and tell the dispatcher who is to be told now."""
        problems: list[tuple[str, Instance | None]] = []
        listed = sorted(names)
        if len(listed) > MOST_SERVICES:
            problems.append((f"the catalog has more than {MOST_SERVICES:,} services; only so many are read", None))
        instances, unread = await self._read(listed[:MOST_SERVICES])
        now = self._clock()
        found = {each.instance.name: each for each in self._asking(instances, now, problems)}
        gone = [each.instance for name, each in self._known.items() if name not in found]
        unseen = await self._catalog.unseen(gone) if gone else set()
        unread |= names.difference(listed[:MOST_SERVICES])
        self._known = keep(
            self._known, found.values(), stays=lambda each: each.service in unread or each.name in unseen, now=now
        )
        self._missing = any(each.seen < now for each in self._known.values())
        await self._subscribe(problems, whole=bool(names) and not unread)

    async def _read(self, names: Iterable[str]) -> tuple[list[Instance], set[str]]:
        """Read the instances of services, a few at a time; return them and the services that could not be read."""
        gate, unread = asyncio.Semaphore(PARALLEL), set[str]()

        async def read(name: str) -> list[Instance]:
            async with gate:
                try:
                    return await self._catalog.instances(name)
                except SyncdError as error:
                    log.debug("a service of the catalog cannot be read", service=name, error=str(error))
                    unread.add(name)
                    return []

        found = await asyncio.gather(*(read(name) for name in names))
        return list(chain.from_iterable(found)), unread

    def _asking(
        self, instances: Iterable[Instance], now: float, problems: list[tuple[str, Instance | None]]
    ) -> list[Kept]:
        asking: list[Kept] = []
        for instance in sorted((each for each in instances if PATH in each.meta), key=lambda each: each.name):
            if len(asking) == MOST_SUBSCRIBERS:
                problems.append((f"more than {MOST_SUBSCRIBERS:,} services ask; the others are not told", None))
                break
            try:
                asking.append(Kept(instance, subscriber_of(instance, self._grants, self._secret_file), now))
            except ValueError as error:
                problems.append((str(error), instance))
        return asking

    async def _subscribe(self, problems: list[tuple[str, Instance | None]], *, whole: bool) -> None:
        """Hand over who is to be told; until all was read once, whom an earlier process told stays noted."""
        kept, twins = without_twins(self._fixed, [each.subscriber for each in self._known.values()])
        for left, other in twins:
            problems.append((f"{other.name} is told at that address already", self._known[left.name].instance))
        self._warn(problems, whole=whole)
        wanted = {each.name: each for each in kept}
        if wanted != self._told or (whole and not self._whole):
            self._report(wanted)
            self._told, self._whole = wanted, self._whole or whole
            await self._dispatcher.subscribe([*self._fixed, *kept], whole=self._whole)

    def _warn(self, problems: list[tuple[str, Instance | None]], *, whole: bool) -> None:
        """Say each problem once for as long as it stands, and its end where the ``whole`` catalog was read."""
        said: dict[str, dict[str, str]] = {}
        for problem, instance in problems:
            named = {"service": instance.service, "id": instance.id, "node": instance.node} if instance else {}
            key = f"{instance.name if instance else ''} {problem}"
            said[key] = {"why": problem, **named}
            if key not in self._warned:
                log.warning("the catalog cannot be followed to the letter", **said[key])
        if whole:
            for key in self._warned.keys() - said.keys():
                log.info("mended in the catalog", **self._warned[key])
        self._warned = said if whole else self._warned | said

    def _report(self, wanted: dict[str, Subscriber]) -> None:
        before = self._told
        for name in sorted(before.keys() - wanted.keys()):
            log.info("a service is not told any more", subscriber=name, at=before[name].origin)
        for name, subscriber in wanted.items():
            if before.get(name) != subscriber:
                asked = subscriber.filter
                log.info(
                    "a service asks to be told",
                    subscriber=name,
                    at=subscriber.origin,
                    url=target_of(subscriber),
                    prefixes=",".join(asked.prefixes),
                    match=",".join(asked.patterns),
                    values=",".join(subscriber.values) if isinstance(subscriber.values, tuple) else "hashes only",
                )
