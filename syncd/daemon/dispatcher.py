"""From the journal to the subscribers: who is owed what, when it is tried, and what becomes of it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from syncd.core.delivery import DISABLED, DUE, IDLE, REPLAYED, WAITING
from syncd.core.errors import NotFound, StateError
from syncd.core.event import Event
from syncd.core.subscriber import File, Subscriber
from syncd.daemon.latency import Latency
from syncd.daemon.line import Line, Standings, defined, unusable
from syncd.daemon.messages import Audience, Messages, event_in
from syncd.daemon.service import Pulse
from syncd.daemon.tries import Tries
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Result, Sender
from syncd.fanout.tables import Delivery, Standing
from syncd.log import get_logger

log = get_logger(__name__)

MakeSender = Callable[[Subscriber], Sender]
"""Makes what tells a subscriber; ValueError where its definition cannot work."""
_RECENT_DELIVERIES: Final = 1000
_MEND: Final = "mend it, then reload the daemon (systemctl reload syncd), or restart it"
_ROUND_SECONDS: Final = 20.0
"""How long at most until the next look at the clock, which people set."""


class Dispatcher:
    """Tells every subscriber of every event that concerns it, at least once, each at its own pace.

    ``now`` gives Unix seconds, ``draw`` random numbers in [0, 1), ``draw_id`` a new random id.
    """

    def __init__(
        self,
        journal: Journal,
        messages: Messages,
        make_sender: MakeSender,
        *,
        now: Callable[[], float],
        draw: Callable[[], float],
        draw_id: Callable[[], str],
    ) -> None:
        self._journal = journal
        self._messages = messages
        self._make_sender = make_sender
        self._now = now
        self._draw_id = draw_id
        self._lines: dict[str, Line] = {}
        self._unusable: dict[str, tuple[Subscriber, str]] = {}  # and why they cannot be told
        self._tries = Tries(journal, messages, now=now, draw=draw)

    # -- what others tell it

    def publish(self, event: Event) -> None:
        """Tell an event that is in the journal."""
        self._messages.add(event)
        owe = self._tries.owe
        concerns: dict[Audience, bool] = {}
        for line in self._lines.values():
            audience = line.audience
            if audience not in concerns:
                concerns[audience] = audience.limit(event) is not None
            if concerns[audience]:
                owe(line, event.time)
            elif line.state is IDLE or _is_level(line, event.seq):
                line.standing.told = event.seq

    def begin(self, *, leading: bool) -> None:
        """Go on: the view is whole, and this node leads or does not."""
        tries = self._tries
        if (tries.ready, tries.leading) != (True, leading):
            tries.ready, tries.leading = True, leading
            for line in self._lines.values():
                tries.start(line)

    async def subscribe(self, subscribers: Iterable[Subscriber], *, whole: bool = True) -> None:
        """Tell these from now on, and nobody else; where these are not ``whole``, what others are owed stays noted."""
        wanted = {each.name: each for each in subscribers}
        gone = [name for name in {*self._lines, *self._unusable, *self._journal.standings} if name not in wanted]
        for name in gone:
            self._unusable.pop(name, None)
            await self._drop(name)
        if gone and whole:
            with suppress(StateError):  # they are dropped again at the next start
                await self._journal.forget(gone)
        for name, subscriber in wanted.items():
            known = self._lines.get(name)
            if known is None or known.subscriber != subscriber:
                await self._drop(name)
                self._take_up(subscriber)

    async def run(self, pulse: Pulse | None = None) -> None:
        """Try again those whose time has come, for ever."""
        while True:
            if pulse is not None:
                pulse.tick(_ROUND_SECONDS)
            self._tries.wake.clear()
            pause = self._try_due(self._now())
            with suppress(StateError):  # whoever writes next says what is wrong
                await self._journal.tidy(self._now())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._tries.wake.wait()

    def _try_due(self, now: float) -> float:
        """Start the tries that are due; return the seconds until the next look."""
        pause = _ROUND_SECONDS
        for line in self._lines.values():
            self._tries.start(line)  # what it is owed may not have been readable before
            if line.state is not WAITING:
                continue
            left = line.due(now) - now
            if left > 0:
                pause = min(pause, left)
                continue
            line.move(DUE)
            self._tries.start(line)
        return pause

    async def close(self) -> None:
        """End every try that is under way; it is made again at the next start."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.dropped = True
        await self._tries.close()
        await asyncio.gather(*(line.sender.close() for line in lines.values()))

    @property
    def latency(self) -> Latency:
        """Return how long deliveries took."""
        return self._tries.latency

    # -- what people ask

    def standings(self) -> list[Standings]:
        """Say how each subscriber stands, by name."""
        now, head = self._now(), self._journal.head.seq
        told = [line.told(head, now, held=line.led and not self._tries.leading) for line in self._lines.values()]
        told += [self._missing(subscriber, why) for subscriber, why in self._unusable.values()]
        return sorted(told, key=lambda each: each.name)

    async def deliveries(self, name: str, most: int) -> list[Delivery]:
        """Return a subscriber's deliveries that came to an end, the newest first; NotFound where there is none such."""
        self._line(name)
        return await self._journal.deliveries(name, most)

    async def test(self, name: str) -> Result:
        """Send a subscriber a message that tells nothing, and return what came of it."""
        line = self._line(name)
        await _until_free(line)
        line.busy = True
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        line.answer = answer
        message = self._messages.test(f"test-{self._draw_id()}", self._now())
        line.sender.send(message, lambda result: None if answer.done() else answer.set_result(result))
        try:
            result = await answer
            if result.outcome == "delivered" and line.state is WAITING:  # it is back
                line.move(DUE)
            return result
        finally:
            line.answer = None
            line.release()
            self._tries.start(line)

    async def replay(self, name: str, *, since: float | None = None, event: str | None = None) -> None:
        """Have a subscriber told anew: from an event on, or all since a time (Unix seconds), or the full state.

        What it is owed from before that is told as well. NotFound where there is no such subscriber or the journal does
        not know the event.
        """
        line = self._line(name)
        after = await self._from(name, since, event)
        await _until_free(line)
        standing = line.standing
        standing.told = None if after is None or standing.told is None else min(after, standing.told)
        standing.retry, standing.disabled = None, False
        standing.replay = self._draw_id()[:8]
        line.since = self._now()
        line.move(REPLAYED)
        self._journal.acknowledge(standing, None)
        self._tries.start(line)

    async def _from(self, name: str, since: float | None, event: str | None) -> int | None:
        """Return the event after which a replay begins; None: with the full state."""
        if event is None:
            return None if since is None else await self._journal.last_before(since)
        for ended in await self._journal.deliveries(name, _RECENT_DELIVERIES):
            if ended.id == event:
                return ended.after
        seq = await self._journal.find(event_in(event))
        if seq is None:
            hint = f"see: syncd subscribers deliveries {name}; without an event the full state is sent"
            raise NotFound(f"the journal holds no event {event}", hint=hint)
        return seq - 1

    # -- within

    def _take_up(self, subscriber: Subscriber) -> None:
        name, now_defined = subscriber.name, defined(subscriber)
        try:
            sender = self._make_sender(subscriber)
        except ValueError as error:
            found = subscriber, str(error)
            if self._unusable.get(name) != found:  # each change of the catalog has it tried again
                self._complain(*found)
            self._unusable[name] = found
            return
        self._unusable.pop(name, None)
        standing = self._journal.standings.get(name)
        if standing is None or standing.defined != now_defined:
            standing = self._journal.standings[name] = Standing(name, now_defined)
            self._journal.acknowledge(standing, None)
        if isinstance(subscriber.target, File):  # somebody may have deleted it, or edited its template
            standing.told = None
        line = self._lines[name] = Line(subscriber, sender, standing, self._messages.audience(subscriber))
        line.done = partial(self._tries.done, line)
        if line.state is WAITING:
            self._tries.wake.set()
        elif standing.told is None or standing.told < self._journal.head.seq:
            self._tries.owe(line, self._messages.since(standing.told or 0) or self._now())

    async def _drop(self, name: str) -> None:
        line = self._lines.pop(name, None)
        if line is None:
            return
        line.dropped = True
        await line.sender.close()
        if line.answer is not None and not line.answer.done():
            line.answer.set_exception(_gone(name))
        line.release()

    def _complain(self, subscriber: Subscriber, why: str) -> None:
        event = "this subscriber cannot be told"
        log.error(event, subscriber=subscriber.name, at=subscriber.origin, why=why, hint=_MEND)

    def _missing(self, subscriber: Subscriber, why: str) -> Standings:
        """Say how one stands that cannot be told: what it misses, it is owed."""
        standing = self._journal.standings.get(subscriber.name)
        told = standing.told if standing and standing.defined == defined(subscriber) else None
        behind = None if told is None else self._journal.head.seq - told
        return unusable(subscriber, why, behind=behind, since=0.0 if told is None else self._messages.since(told))

    def _line(self, name: str) -> Line:
        if name in self._unusable:
            subscriber, why = self._unusable[name]
            raise NotFound(f"{name} cannot be told: {why}", where=subscriber.origin, hint=_MEND)
        if name not in self._lines:
            known = ", ".join(sorted(self._lines)) or "none"
            raise NotFound(f"there is no subscriber {name}", hint=f"there are: {known}")
        return self._lines[name]


def _is_level(line: Line, seq: int) -> bool:
    """Tell whether a disabled subscriber has missed nothing before that event."""
    return line.state is DISABLED and line.standing.told == seq - 1


async def _until_free(line: Line) -> None:
    await line.until_free()
    if line.dropped:
        raise _gone(line.subscriber.name)


def _gone(name: str) -> NotFound:
    return NotFound(f"the subscriber {name} has gone meanwhile", hint="syncd subscribers list")
