"""One try after another at telling a subscriber: begun when something is owed, and what becomes of it is noted."""

import asyncio
from collections.abc import Callable

from syncd.core import delivery
from syncd.core.delivery import CHANGED, DELIVERED, DISABLED, EXHAUSTED, FAILED, GONE, IDLE, OWED, STARTED, WAITING
from syncd.core.errors import StateError
from syncd.daemon.complaints import tell_delivered, tell_exhausted, tell_failed, tell_gone, tell_unread
from syncd.daemon.latency import Latency
from syncd.daemon.line import Line
from syncd.daemon.messages import Messages, Wanted
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Message, Result
from syncd.fanout.tables import Delivery


class Tries:
    """Makes one try at a time for each subscriber.

    ``now`` gives Unix seconds, ``draw`` random numbers in [0, 1). ``ready``: the view is whole, so keys may be told;
    ``leading``: this node tells also those that only one may tell. ``wake`` is set where the time of a next try has to
    be looked at.
    """

    def __init__(
        self, journal: Journal, messages: Messages, *, now: Callable[[], float], draw: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._messages = messages
        self._now = now
        self._draw = draw
        self._loads: set[asyncio.Task[None]] = set()
        self.ready = self.leading = False
        self.wake = asyncio.Event()
        self.latency = Latency()

    async def close(self) -> None:
        """End what is still being read for a try."""
        for load in self._loads:
            load.cancel()
        await asyncio.gather(*self._loads, return_exceptions=True)

    def owe(self, line: Line, since: float) -> None:
        """Have a subscriber told what it has not been told, published ``since`` then (Unix seconds)."""
        line.since = line.since or since
        line.move(CHANGED)
        if line.state is WAITING:
            line.news = True
            self.wake.set()
        else:
            self.start(line)

    def start(self, line: Line) -> None:
        """Begin a try, where one is owed and nothing stands against it."""
        if line.state is not OWED or line.busy or line.dropped:
            return
        if line.led and not self.leading:
            return
        if not self.ready and line.audience.filter.about == "keys":
            return
        standing = line.standing
        wanted, message = self._messages.newest(line.audience, standing.told, standing.replay)
        line.busy, line.wanted = True, wanted
        if message != "elsewhere":
            self._send(line, message)
            return
        load = asyncio.create_task(self._load(line, wanted))
        self._loads.add(load)
        load.add_done_callback(self._loads.discard)

    async def _load(self, line: Line, wanted: Wanted) -> None:
        try:
            message = await self._messages.load(wanted)
        except StateError as error:  # no fault of the subscriber's, so no try of its schedule is spent
            tell_unread(line, error)
            line.release()
            return
        if not line.dropped:  # while the message was made
            self._send(line, message)

    def _send(self, line: Line, message: Message | None) -> None:
        if message is None:
            line.move(DELIVERED)
            self._told(line)
            return
        line.move(STARTED)
        line.id, line.started = message.id, self._now()
        line.sender.send(message, line.done)

    def done(self, line: Line, result: Result) -> None:
        """Note how a try ended."""
        if line.dropped:
            return
        now = self._now()
        line.said = result.said
        if result.outcome == "delivered":
            self.latency.observe(now - (line.since or line.started))
            line.delivered += 1
            line.move(DELIVERED)
            if line.complaint or line.standing.retry is not None:
                tell_delivered(line)
            self._end(line, result.outcome, now)
        elif result.outcome == "gone":
            line.move(GONE)
            line.standing.disabled = True
            tell_gone(line, result.said)
            self._end(line, result.outcome, now)
        else:
            self._failed(line, result, now)

    def _failed(self, line: Line, result: Result, now: float) -> None:
        standing = line.standing
        line.failed += 1
        line.said = result.said
        retry = delivery.failed(standing.retry, now, self._draw(), asked=result.retry_after)
        if retry is None:
            line.exhausted += 1
            line.move(EXHAUSTED)
            tell_exhausted(line, result.said, line.id)
            self._end(line, "exhausted", now)
            return
        line.move(FAILED)
        standing.retry = retry
        self._journal.acknowledge(standing, None)
        tell_failed(line, result.said, retry, now)
        line.news = self._journal.head.seq > line.wanted.upto
        line.release()
        self.wake.set()

    def _end(self, line: Line, outcome: str, now: float) -> None:
        standing, wanted = line.standing, line.wanted
        tries = standing.retry.tries + 1 if standing.retry is not None else 1
        ended = Delivery(
            standing.name, line.id, wanted.after, wanted.upto, outcome, tries, now, now - line.started, line.said
        )
        standing.retry = None
        self._told(line, ended)

    def _told(self, line: Line, ended: Delivery | None = None) -> None:
        """Note how far a subscriber was told, and go on where there is more."""
        standing, upto = line.standing, line.wanted.upto
        standing.told, standing.replay = upto, ""
        line.since, line.news = 0.0, False
        line.release()
        if ended is not None:
            self._journal.acknowledge(standing, ended)
        if self._journal.head.seq > upto and line.state in (IDLE, DISABLED):
            self.owe(line, self._messages.since(upto))
