"""The daemon's copy of live, kept true by answers that come in any order.

Watches of different shards answer as of different moments, an own write is known from its answer before any watch
tells it, and a late answer may be older than what is known. Consul's ModifyIndex puts them in order, key by key.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from syncd.core.live import Entry
from syncd.core.shards import Shard, span

_FEW: Final = 64
"""So many keys are sooner put in their places than all keys sorted."""
_MANY: Final = 10_000
"""Whoever asks what was stirred then looks at every key."""


class Observed(msgspec.Struct, frozen=True, gc=False):
    """A key that is not what the mirror held; None: not there."""

    key: str
    before: Entry | None
    after: Entry | None


class _Gone(msgspec.Struct, frozen=True, gc=False):
    """A tombstone: the deleted entry's index, and an answer's index at which it was missing, 0 while none is known."""

    index: int
    missing: int = 0


class Mirror:
    """Entries by key relative to the prefix, as far as this node knows."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries
        self._gone: dict[str, _Gone] = {}
        self._unconfirmed: set[str] = set()
        self._sorted: list[str] | None = None
        self._moved: set[str] = set()
        self.moves = 0  # how often a key came or went
        self._stirred: set[str] | None = None

    def keys(self) -> Sequence[str]:
        """Return every key, sorted; to be read before the next change."""
        if self._sorted is None:
            self._sorted = sorted(self.entries)
        for key in self._moved:
            self._place(self._sorted, key)
        self._moved.clear()
        return self._sorted

    def take_stirred(self) -> set[str] | None:
        """Return the keys that were written or deleted since this was last asked; None: any key may have been."""
        stirred, self._stirred = self._stirred, set()
        return stirred

    def enter(self, written: Mapping[str, Entry]) -> None:
        """Take own writes from a transaction's answer; a newer write by somebody else may be known already."""
        if not self._gone and self.entries.keys().isdisjoint(written):  # a full load is nothing else
            self.entries.update(written)
            self._move(written)
            self._stir(written)
            return
        for key, entry in written.items():
            have = self.entries.get(key) or self._gone.get(key)
            if entry.index > (have.index if have is not None else 0):
                self._put(key, entry)

    def remove(self, key: str, index: int) -> None:
        """Take an own delete at the index seen, so that an older answer does not bring the key back."""
        have = self.entries.get(key)
        if have is not None and have.index <= index:
            self._drop(key, _Gone(have.index))
            self._unconfirmed.add(key)

    def merge(self, shard: Shard, found: Mapping[str, Entry], index: int) -> tuple[Observed, ...] | None:
        """Take a watch's answer about a shard; return what changed by it.

        None, and nothing is taken, where the answer contradicts what was seen: the store has gone back in time.
        """
        if any(self._contradicts(key, entry, index) for key, entry in found.items()):
            return None
        changed = [self._see(key, entry) for key, entry in found.items() if self._is_news(key, entry)]
        changed += [self._miss(key, index) for key in self._missing(shard, found, index)]
        self._confirm(shard, found, index)
        return tuple(changed)

    def is_newer(self, entries: Mapping[str, Entry]) -> bool:
        """Tell whether a list that was read later shows what stood before: the store has gone back in time."""
        return any(entry.index < self._seen(key) for key, entry in entries.items())

    def _seen(self, key: str) -> int:
        """Return the index below which nothing can be news of a key."""
        have, gone = self.entries.get(key), self._gone.get(key)
        return have.index if have else gone.index + 1 if gone else 0

    def _contradicts(self, key: str, entry: Entry, index: int) -> bool:
        """Tell whether an answer from after a change shows what stood before it."""
        have, gone = self.entries.get(key), self._gone.get(key)
        if have is not None:
            return entry.index < have.index <= index
        return gone is not None and entry.index <= gone.index and 0 < gone.missing <= index

    def _is_news(self, key: str, entry: Entry) -> bool:
        have, gone = self.entries.get(key), self._gone.get(key)
        return entry.index > (have.index if have else gone.index if gone else -1)

    def _missing(self, shard: Shard, found: Mapping[str, Entry], index: int) -> list[str]:
        """List the keys that an answer proves to be gone: those written after it was made may just be too new."""
        keys = self.keys()
        low, high = span(keys, shard)
        return [key for key in keys[low:high] if key not in found and self.entries[key].index <= index]

    def _see(self, key: str, entry: Entry) -> Observed:
        observed = Observed(key, self.entries.get(key), entry)
        self._put(key, entry)
        return observed

    def _miss(self, key: str, index: int) -> Observed:
        before = self.entries[key]
        self._drop(key, _Gone(before.index, index))
        return Observed(key, before, None)

    def _confirm(self, shard: Shard, found: Mapping[str, Entry], index: int) -> None:
        """Note by which index the store knew of own deletes."""
        for key in [key for key in self._unconfirmed if shard.holds(key) and key not in found]:
            if self._gone[key].index <= index:
                self._gone[key] = _Gone(self._gone[key].index, index)
                self._unconfirmed.discard(key)

    def _put(self, key: str, entry: Entry) -> None:
        if self._gone:  # what is unconfirmed is gone
            self._gone.pop(key, None)
            self._unconfirmed.discard(key)
        if key not in self.entries:
            self._move((key,))
        self.entries[key] = entry
        self._stir((key,))

    def _drop(self, key: str, gone: _Gone) -> None:
        del self.entries[key]
        self._gone[key] = gone
        self._move((key,))
        self._stir((key,))

    def _stir(self, keys: Collection[str]) -> None:
        if self._stirred is not None:
            self._stirred.update(keys)
            if len(self._stirred) > _MANY:
                self._stirred = None

    def _move(self, keys: Collection[str]) -> None:
        self.moves += len(keys)
        if self._sorted is None:
            return
        self._moved.update(keys)
        if len(self._moved) > _FEW:
            self._sorted = None
            self._moved.clear()

    def _place(self, keys: list[str], key: str) -> None:
        at = bisect_left(keys, key)
        stands = at < len(keys) and keys[at] == key
        if key in self.entries and not stands:
            insort(keys, key)
        elif key not in self.entries and stands:
            del keys[at]
