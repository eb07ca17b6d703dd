"""The state of the store and its reads: no asyncio, no disk, no clock."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from itertools import takewhile

from syncd.embedded.records import Entry, Session
from syncd.embedded.tree import Tree

TOMBSTONE_LIFE = 15 * 60.0  # seconds, as Consul's tombstone_ttl


@dataclass(slots=True)
class Indexes:
    """The last index of anything, of the keys and of the sessions.

    They start at 1, so that somebody who waits on the index of an empty store is woken by its first write.
    """

    last: int = 1
    keys: int = 1
    sessions: int = 1


@dataclass(slots=True)
class Image:
    """What a disk keeps of a state."""

    indexes: Indexes = field(default_factory=Indexes)
    entries: dict[bytes, Entry] = field(default_factory=dict)
    tombstones: dict[bytes, int] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)


class State:
    """Everything the store knows; changed only by ``step.Step``."""

    def __init__(self, image: Image, now: float) -> None:
        self.indexes = image.indexes
        self.entries = Tree(image.entries.items())
        self.tombstones = Tree(image.tombstones.items())
        self.sessions = dict(image.sessions)
        self.locked = {key: entry.session for key, entry in image.entries.items() if entry.session}
        self.lock_delays: dict[bytes, float] = {}
        self.buried_at: dict[bytes, float] = dict.fromkeys(image.tombstones, now)
        self.deadlines: dict[str, float] = {}

    def image(self) -> Image:
        """Return what a disk keeps of it, as it is now: later changes do not show in it."""
        return Image(copy(self.indexes), self.entries.items(), self.tombstones.items(), dict(self.sessions))

    def below(self, prefix: bytes) -> tuple[int, list[Entry]]:
        """Return the entries below ``prefix`` and the index of that subtree, deletes included."""
        entries = self.entries.values(prefix)
        return self._index_below(prefix, entries), entries

    def get(self, key: bytes) -> tuple[int, Entry | None]:
        """Return the entry of ``key`` and its index; a missing key has the index of all keys."""
        entry = self.entries.get(key)
        return (entry.modify_index if entry else self.indexes.keys), entry

    def _index_below(self, prefix: bytes, entries: Iterable[Entry]) -> int:
        if not prefix:
            return self.indexes.keys
        highest = max((entry.modify_index for entry in entries), default=0)
        buried = max(self.tombstones.values(prefix), default=0)
        return max(highest, buried) or self.indexes.keys

    def session_list(self, node: str | None = None) -> tuple[int, list[Session]]:
        """Return the sessions, of one node if it is named, and their index."""
        found = (self.sessions[name] for name in sorted(self.sessions))
        return self.indexes.sessions, [each for each in found if node in {None, each.node}]

    def expired(self, now: float) -> list[str]:
        """Return the sessions whose time is over."""
        return [name for name, deadline in self.deadlines.items() if deadline <= now]

    def stale_tombstones(self, now: float) -> list[bytes]:
        """Return the tombstones that are past their life."""
        oldest_first = self.buried_at.items()
        return [key for key, _ in takewhile(lambda each: each[1] + TOMBSTONE_LIFE <= now, oldest_first)]

    def forget_lock_delays(self, now: float) -> None:
        """Drop the lock delays that are over."""
        self.lock_delays = {key: end for key, end in self.lock_delays.items() if end > now}
