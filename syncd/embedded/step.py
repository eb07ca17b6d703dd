"""One step of the store: changes that share an index and are kept or taken back together."""

from dataclasses import dataclass, field

from syncd.embedded.records import Entry, Session
from syncd.embedded.state import State


@dataclass(slots=True)
class Changes:
    """What a step changed: the new record, or None where it is gone.

    ``restored``: everything was replaced, by what is old.
    """

    entries: dict[bytes, Entry | None] = field(default_factory=dict)
    tombstones: dict[bytes, int | None] = field(default_factory=dict)
    sessions: dict[str, Session | None] = field(default_factory=dict)
    restored: bool = False

    def __bool__(self) -> bool:
        return bool(self.entries or self.tombstones or self.sessions or self.restored)

    def add(self, later: "Changes") -> None:
        """Take in the changes of a later step."""
        self.entries.update(later.entries)
        self.tombstones.update(later.tombstones)
        self.sessions.update(later.sessions)
        self.restored = self.restored or later.restored


class Step:
    """Changes ``state`` in place at one index above its last, and knows how to take everything back."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.now = now
        self.index = state.indexes.last + 1
        self.changes = Changes()
        self._entries_before: dict[bytes, Entry | None] = {}
        self._tombstones_before: dict[bytes, tuple[int, float] | None] = {}

    def put(self, key: bytes, entry: Entry) -> None:
        """Set a key."""
        self._entries_before.setdefault(key, self.state.entries.get(key))
        self._set(key, entry)
        self.changes.entries[key] = entry

    def remove(self, key: bytes) -> None:
        """Delete a key that is there, and leave a tombstone."""
        self._entries_before.setdefault(key, self.state.entries.get(key))
        self._unset(key)
        self.changes.entries[key] = None
        self._bury(key)

    def remove_below(self, prefix: bytes) -> None:
        """Delete a subtree; Consul leaves one tombstone, at the prefix."""
        removed = self.state.entries.remove_below(prefix)
        for key, entry in removed:
            self._entries_before.setdefault(key, entry)
            self.state.locked.pop(key, None)
            self.changes.entries[key] = None
        if removed and prefix:
            self._bury(prefix)

    def reap(self, key: bytes) -> None:
        """Forget a tombstone."""
        self._unset_tombstone(key)
        self.changes.tombstones[key] = None

    def put_session(self, session: Session) -> None:
        """Add a session."""
        self.state.sessions[session.id] = session
        self.changes.sessions[session.id] = session

    def remove_session(self, name: str) -> None:
        """Take out a session that is there."""
        del self.state.sessions[name]
        self.state.deadlines.pop(name, None)
        self.changes.sessions[name] = None

    def keep(self) -> Changes:
        """Make the step part of the state and return what it changed; without a change no index is used."""
        if self.changes.entries or self.changes.sessions:
            self.state.indexes.last = self.index
        if self.changes.entries:
            self.state.indexes.keys = self.index
        if self.changes.sessions:
            self.state.indexes.sessions = self.index
        return self.changes

    def take_back(self) -> None:
        """Undo the changes of keys; what else a step changes, it changes after its last check.

        The index is used up all the same: errors may have named it.
        """
        self.state.indexes.last = self.index
        for key, entry in self._entries_before.items():
            if entry is not None:
                self._set(key, entry)
            elif self.state.entries.get(key) is not None:
                self._unset(key)
        for key, tombstone in self._tombstones_before.items():
            if tombstone is not None:
                self._set_tombstone(key, *tombstone)
            else:
                self._unset_tombstone(key)

    def _set(self, key: bytes, entry: Entry) -> None:
        self.state.entries.put(key, entry)
        if entry.session:
            self.state.locked[key] = entry.session
        else:
            self.state.locked.pop(key, None)

    def _unset(self, key: bytes) -> None:
        self.state.entries.remove(key)
        self.state.locked.pop(key, None)

    def _bury(self, key: bytes) -> None:
        before = self.state.tombstones.get(key)
        since = self.state.buried_at.get(key, self.now)
        self._tombstones_before.setdefault(key, None if before is None else (before, since))
        self._set_tombstone(key, self.index, self.now)
        self.changes.tombstones[key] = self.index

    def _set_tombstone(self, key: bytes, index: int, since: float) -> None:
        self.state.tombstones.put(key, index)
        self.state.buried_at.pop(key, None)  # the oldest stay first
        self.state.buried_at[key] = since

    def _unset_tombstone(self, key: bytes) -> None:
        self.state.tombstones.remove(key)
        del self.state.buried_at[key]
