"""One subscriber at work: where it stands, and what people may know of that."""

import asyncio
from hashlib import sha256

import msgspec

from syncd.core.delivery import DISABLED, IDLE, TABLE, UNUSABLE, WAITING, DeliveryEvent, due
from syncd.core.subscriber import Command, File, Subscriber, Webhook
from syncd.daemon.messages import Audience, Wanted
from syncd.fanout.sender import Done, Result, Sender
from syncd.fanout.tables import Standing


class Line:
    """One subscriber at work. ``since`` is when the oldest thing that it is owed was published, 0 where nothing is.

    ``led``: only the node that leads tells it. ``busy``: a try is under way, of what was ``wanted``, in a message with
    that ``id``, which ends by ``done``. ``news`` says that something came while it waits for its next try, ``dropped``
    that it is nobody's subscriber any more.
    """

    __slots__ = (
        "_released",
        "answer",
        "audience",
        "busy",
        "complaint",
        "delivered",
        "done",
        "dropped",
        "exhausted",
        "failed",
        "id",
        "led",
        "news",
        "said",
        "sender",
        "since",
        "standing",
        "started",
        "state",
        "subscriber",
        "wanted",
    )

    done: Done
    wanted: Wanted

    def __init__(self, subscriber: Subscriber, sender: Sender, standing: Standing, audience: Audience) -> None:
        self.subscriber = subscriber
        self.sender = sender
        self.standing = standing
        self.audience = audience
        self.led = subscriber.scope == "leader"
        self.state = IDLE
        self.busy = False
        self._released: asyncio.Event | None = None  # made where somebody waits: each delivery would pay for it
        self.id = ""
        self.answer: asyncio.Future[Result] | None = None  # to a test that is under way
        self.dropped = False
        self.news = False
        self.since = 0.0
        self.started = 0.0
        self.said = ""
        self.complaint = ""  # what the log said last of its trouble; "" once that is over
        self.delivered = self.failed = self.exhausted = 0
        if standing.disabled:
            self.state = DISABLED
        elif standing.retry is not None:
            self.state = WAITING
            self.news = True  # what came after the last try is not remembered, and might wait for a day

    def move(self, event: DeliveryEvent) -> None:
        """Follow the table."""
        self.state = TABLE[self.state][event]

    def release(self) -> None:
        """End a try."""
        self.busy = False
        if self._released is not None:
            self._released.set()
            self._released = None

    async def until_free(self) -> None:
        """Wait until no try is under way."""
        while self.busy:
            if self._released is None:
                self._released = asyncio.Event()
            await self._released.wait()

    def due(self, now: float) -> float:
        """Return when a waiting subscriber is to be tried again, in Unix seconds."""
        assert self.standing.retry is not None
        return due(self.standing.retry, now, news=self.news)

    def told(self, head: int, now: float, *, held: bool) -> "Standings":
        """Say how it stands; ``head`` is the number of the last event. ``held``: another node leads and tells it."""
        subscriber, standing = self.subscriber, self.standing
        owed, told = self.state is not IDLE and not held, standing.told
        return Standings(
            name=subscriber.name,
            kind=subscriber.kind,
            origin=subscriber.origin,
            target=target_of(subscriber),
            state=self.state,
            held=held,
            behind=(1 if told is None else head - told) if owed else 0,
            since=self.since if owed else 0.0,
            tries=standing.retry.tries if standing.retry else 0,
            next=self.due(now) if self.state is WAITING else 0.0,
            said=self.said,
            delivered=self.delivered,
            failed=self.failed,
            exhausted=self.exhausted,
            full=owed and told is None,
        )


class Standings(msgspec.Struct, frozen=True):
    """How one subscriber stands, for people and metrics.

    ``behind`` counts the events that it has not been told, of which some may not concern it; where it is owed the
    ``full`` state instead, that counts as one. ``since`` is when the oldest of them was published, ``next`` when it is
    tried again (Unix seconds, 0: not now). ``held``: another node leads and tells it.
    """

    name: str
    kind: str
    origin: str
    target: str
    state: str
    held: bool
    behind: int
    since: float
    tries: int
    next: float
    said: str
    delivered: int
    failed: int
    exhausted: int
    full: bool = False


def unusable(subscriber: Subscriber, why: str, *, behind: int | None, since: float) -> Standings:
    """Say how one stands whose definition cannot work; ``behind`` is None where it is owed the full state."""
    return Standings(
        name=subscriber.name,
        kind=subscriber.kind,
        origin=subscriber.origin,
        target=target_of(subscriber),
        state=UNUSABLE,
        held=False,
        behind=1 if behind is None else behind,
        since=since,
        tries=0,
        next=0.0,
        said=why,
        delivered=0,
        failed=0,
        exhausted=0,
        full=behind is None,
    )


def defined(subscriber: Subscriber) -> str:
    """Hash what a subscriber is: who is told another thing, or at another place, starts anew."""
    text = msgspec.json.encode((subscriber.kind, target_of(subscriber), subscriber.filter, subscriber.values))
    return sha256(text).hexdigest()[:16]


def target_of(subscriber: Subscriber) -> str:
    """Name where a subscriber is told: an address without its query, which may hold a token; a program; a file."""
    match subscriber.target:
        case Webhook(url=url):
            return url.partition("?")[0]
        case Command(argv=argv):
            return argv[0]
        case File(path=path):
            return path
