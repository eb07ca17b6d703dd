"""Making what subscribers are sent, once for all that care for the same keys."""

from collections import deque
from typing import Final, NamedTuple

from syncd.core import cloudevent
from syncd.core.event import Event, KeyChange, bounded, fold, limit, shown, without_values
from syncd.core.subscriber import Filter
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Message

_RECENT: Final = 256


class Wanted(NamedTuple):
    """What a subscriber is to be told: everything after an event up to another, None: the full state."""

    filter: Filter
    values: bool
    after: int | None
    upto: int


class Messages:
    """Makes messages from the newest events, which it is given, and from the journal where they are older."""

    def __init__(self, journal: Journal, view: View, prefix: str) -> None:
        self._journal = journal
        self._view = view
        self._prefix = prefix
        self._recent: deque[Event] = deque(maxlen=_RECENT)
        self._made: dict[Wanted, Message | None] = {}

    def add(self, event: Event) -> None:
        """Take the newest event."""
        self._recent.append(event)
        self._made.clear()

    def since(self, seq: int) -> float:
        """Return when the first event after one was published, as far as that is remembered."""
        return next((event.time for event in self._recent if event.seq > seq), 0.0)

    def at_hand(self, wanted: Wanted) -> bool:
        """Tell whether a message can be made without asking the journal."""
        after = wanted.after
        if wanted in self._made or after is None:
            return True
        return after >= wanted.upto or (bool(self._recent) and self._recent[0].seq <= after + 1)

    def make(self, wanted: Wanted) -> Message | None:
        """Make a message that is at hand; None where nothing in it concerns the subscriber."""
        if wanted not in self._made:
            after = wanted.after
            events = [] if after is None else [each for each in self._recent if after < each.seq <= wanted.upto]
            self._made[wanted] = self._make(wanted, events)
        return self._made[wanted]

    async def load(self, wanted: Wanted) -> Message | None:
        """Make a message from the journal; where that does not go back far enough, of the full state."""
        assert wanted.after is not None
        events = await self._journal.events(wanted.after, wanted.upto)
        return self._make(wanted if events is not None else wanted._replace(after=None), events or [])

    def test(self, id_: str, time: float) -> Message:
        """Make a message that tells nothing, to try a subscriber with."""
        event = Event(id_, "test", self._view.epoch, self._view.index, time, (), 0, self._view.revision)
        return Message(id_, cloudevent.encode(event, self._prefix))

    def _make(self, wanted: Wanted, events: list[Event]) -> Message | None:
        if wanted.after is None or any(event.kind == "reset" for event in events):
            event: Event | None = self._full(wanted)
        elif events:
            event = limit(fold(events), wanted.filter.test())
        else:
            event = None
        if event is None:
            return None
        told = event if wanted.values else without_values(event)
        return Message(told.id, cloudevent.encode(told, self._prefix))

    def _full(self, wanted: Wanted) -> Event:
        view, test, head = self._view, wanted.filter.test(), self._journal.head
        keys = sorted(key for key in view.entries if test(key))
        changes = bounded([self._present(key) for key in keys])
        id_ = f"{head.id or f'{head.epoch}-{head.index}'}.full"
        time = self._recent[-1].time if self._recent else float(view.revision.time if view.revision else 0)
        return Event(id_, "reset", head.epoch, head.index, time, changes, len(changes), view.revision)

    def _present(self, key: str) -> KeyChange:
        value, secret = self._view.entries[key].value, key in self._view.secrets
        return KeyChange(key, "create", new=None if secret else value, new_hash=shown(value), secret=secret)
