"""Making what subscribers are sent, once for all that care for the same keys."""

import asyncio
from collections import deque
from hashlib import sha256
from typing import Final, Literal, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from syncd.core import cloudevent
from syncd.core.event import Event, KeyChange, bounded, fold, hidden, limit, shown, without_values
from syncd.core.subscriber import Filter, Subscriber, Values
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Message
from syncd.fanout.tables import Head

_RECENT: Final = 256
_MOST_MADE: Final = 64
"""Streams may want any prefix, and each message may be 1 MiB."""
_ID_PARTS: Final = 4
"""Of an event's id: epoch, index, the journal's name, number."""
_MANY_KEYS: Final = 5_000
"""The full state of more keys takes some milliseconds: not for a thousand subscribers in one go."""
_RECENT_CHANGES: Final = 10_000
"""The newest events are kept at hand, up to so many with so many changes in all; the last one always."""
_UNMADE: Final = Message("", b"")


class Audience:
    """All subscribers that care for the same keys, with or without values: they are told the same."""

    def __init__(self, filter_: Filter, *, values: Values) -> None:
        self.values = values
        self.wants = filter_.test()
        self.filter = filter_

    def limit(self, event: Event) -> Event | None:
        """Leave of an event what these care for; None where nothing is."""
        return limit(event, self.wants) if event.about == self.filter.about else None


class Wanted(NamedTuple):
    """What somebody is to be told: everything after an event up to another, None: the full state.

    ``replay`` names a person's order to tell it anew, "" where there is none.
    """

    audience: Audience
    after: int | None
    upto: int
    replay: str = ""


Made = tuple[Wanted, Message | Literal["elsewhere"] | None]


class Messages:
    """Makes messages from the newest events, which it is given, and from the journal where they are older."""

    def __init__(self, journal: Journal, view: View, prefix: str) -> None:
        self._journal = journal
        self._view = view
        self._prefix = prefix
        self._recent: deque[Event] = deque()
        self._changes = 0
        self._newest: dict[Audience, Made] = {}
        self._made: dict[Wanted, Message | None] = {}
        self._turns = 0
        self._loading = asyncio.Lock()
        # Services of the catalog come and go with what they want: an audience lasts as long as somebody is in it.
        self._audiences: WeakValueDictionary[tuple[Filter, Values], Audience] = WeakValueDictionary()

    def audience(self, subscriber: Subscriber) -> Audience:
        """Return the audience that a subscriber belongs to."""
        filter_, values = subscriber.filter, subscriber.values
        found = self._audiences.get((filter_, values))
        if found is None:
            found = self._audiences[filter_, values] = Audience(filter_, values=values)
        return found

    def add(self, event: Event) -> None:
        """Take the newest event."""
        self._recent.append(event)
        self._changes += len(event.changes)
        while len(self._recent) > _RECENT or (self._changes > _RECENT_CHANGES and len(self._recent) > 1):
            self._changes -= len(self._recent.popleft().changes)
        self._newest.clear()
        self._made.clear()

    def since(self, seq: int) -> float:
        """Return when the first event after one was published, as far as that is remembered."""
        return next((event.time for event in self._recent if event.seq > seq), 0.0)

    def newest(self, audience: Audience, after: int | None, replay: str) -> Made:
        """Make the message for who was told all up to ``after``; most of an audience were told the same."""
        self._forget_turned()
        last, upto = self._newest.get(audience), self._journal.head.seq
        if last is not None:
            wanted = last[0]
            if wanted.upto == upto and wanted.after == after and wanted.replay == replay:
                return last
        if len(self._newest) >= _MOST_MADE:
            self._newest.clear()
        wanted = Wanted(audience, after, upto, replay)
        last = self._newest[audience] = wanted, self.make(wanted)
        return last

    def make(self, wanted: Wanted) -> Message | Literal["elsewhere"] | None:
        """Make a message; None where nothing concerns the audience, ``elsewhere`` where the journal must be asked."""
        self._forget_turned()
        made = self._made.get(wanted, _UNMADE)
        if made is not _UNMADE:
            return made
        if self._is_elsewhere(wanted.after, wanted.upto):
            return "elsewhere"
        return self._keep(wanted)

    def _forget_turned(self) -> None:
        """Drop what is made where something has become a secret: it must be in none of them."""
        if self._turns != self._view.turns:
            self._turns = self._view.turns
            self._newest.clear()
            self._made.clear()

    def _is_elsewhere(self, after: int | None, upto: int) -> bool:
        if after is None:
            return len(self._view.entries) > _MANY_KEYS
        return after < upto and not (self._recent and self._recent[0].seq <= after + 1)

    def _keep(self, wanted: Wanted) -> Message | None:
        after = wanted.after
        events = [] if after is None else [each for each in self._recent if after < each.seq <= wanted.upto]
        if len(self._made) >= _MOST_MADE:
            self._made.clear()
        made = self._made[wanted] = self._make(wanted, events)
        return made

    async def load(self, wanted: Wanted) -> Message | None:
        """Make a message from the journal; where that does not go back far enough, of the full state."""
        events = None if wanted.after is None else await self._journal.events(wanted.after, wanted.upto)
        if events is not None:
            return self._make(wanted, events)
        async with self._loading:  # a large one after the other, with time for others between
            await asyncio.sleep(0)
            full = wanted._replace(after=None)
            return self._made[full] if full in self._made else self._keep(full)

    def test(self, id_: str, time: float) -> Message:
        """Make a message that tells nothing, to try a subscriber with."""
        event = Event(id_, "test", self._view.epoch, self._view.index, time, (), 0, self._view.revision)
        return Message(id_, cloudevent.encode(event, self._prefix))

    def _make(self, wanted: Wanted, events: list[Event]) -> Message | None:
        about, concerns = wanted.audience.filter.about, wanted.audience.limit
        # What came between and concerns others must not change the id of what is tried again.
        events = [event for event in events if concerns(event) is not None]
        full = about == "keys" and (wanted.after is None or any(event.kind == "reset" for event in events))
        if full:
            event: Event | None = self._full(wanted)
        elif events:
            event = limit(hidden(fold(events), self._view.secrets), wanted.audience.wants)
        else:
            event = None  # no snapshot that failed is nobody's state
        if event is None:
            return None
        values = wanted.audience.values
        told = event if values is True else without_values(event, values or ())
        told = msgspec.structs.replace(told, id=_id_of(event, wanted, full=full, several=len(events) > 1))
        return Message(told.id, cloudevent.encode(told, self._prefix), full)

    def _full(self, wanted: Wanted) -> Event:
        view, wants, head = self._view, wanted.audience.wants, self._journal.head
        keys = sorted(key for key in view.entries if wants(key))
        changes = bounded([self._present(key) for key in keys])
        time = head.time or float(view.revision.time if view.revision else 0)
        return Event(named_state(head), "reset", head.epoch, head.index, time, changes, len(changes), view.revision)

    def _present(self, key: str) -> KeyChange:
        value, secret = self._view.entries[key].value, key in self._view.secrets
        return KeyChange(key, "create", new=None if secret else value, new_hash=shown(value), secret=secret)


def named_state(head: Head) -> str:
    """Name the state that was published last: by the last event, numbered 0 where there was none yet."""
    return head.id or f"{head.epoch}-{head.index}-{head.journal}-0"


def event_in(id_: str) -> str:
    """Return the id of the last event that a message tells, from the message's id."""
    return "-".join(id_.split("-")[:_ID_PARTS])


def _id_of(event: Event, wanted: Wanted, *, full: bool, several: bool) -> str:
    """Name a message: a single event's is the event's own, whatever else is told has a mark of what it is made of.

    A receiver that leaves out what it has seen must not take two contents for one.
    """
    parts = [event.id]
    if full or several:
        # A commit that changes no key is no event, but a full state names it.
        since = event.revision and event.revision.commit if full else wanted.after
        made_of = (since, wanted.audience.filter, wanted.audience.values)
        parts += ["full"] if full else []
        parts.append(sha256(msgspec.json.encode(made_of)).hexdigest()[:8])
    return "-".join([*parts, wanted.replay] if wanted.replay else parts)
