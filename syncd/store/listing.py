"""A recursive read as a Listing: entries gathered piece by piece, objects shared with what git says."""

from collections.abc import Iterable, Mapping
from typing import Final

from syncd.core import keys
from syncd.core.desired import DesiredKey
from syncd.core.errors import NotWhole
from syncd.core.live import Entry, Listing
from syncd.store.answers import Found

_OWN: Final = f"{keys.RESERVED}/"


class Gathering:
    """Collects the entries below a prefix; raises NotWhole for what cannot be an answer about it.

    ``part`` is what every key begins with behind the prefix, where only a part was asked for. Keys and values that
    equal those of ``intern`` become the same objects: 100,000 of them are held once, not twice.
    """

    def __init__(self, prefix: str, intern: Mapping[str, DesiredKey] | None, *, where: str, part: str = "") -> None:
        self._front = keys.own_prefix(prefix)
        self._asked = self._front + part
        self._intern = intern or {}
        self._keys = {key: key for key in self._intern}
        self._numbers: dict[int, int] = {}
        self.where = where
        self._count = 0
        self._entries: dict[str, Entry] = {}
        self._own: dict[str, Entry] = {}

    def add(self, found: Iterable[Found]) -> None:
        """Take the next entries."""
        cut, asked = len(self._front), self._asked
        for each in found:
            if not each.key.startswith(asked):
                raise NotWhole(f"a list of {asked!r} names {each.key!r}", where=self.where)
            key = each.key[cut:]
            if key.startswith(_OWN):
                self._own[key[len(_OWN) :]] = each.entry()
            else:
                self._entries[self._keys.get(key, key)] = self._shared(key, each)
            self._count += 1

    def finish(self, index: int) -> Listing:
        """Return the whole list."""
        if len(self._entries) + len(self._own) != self._count:
            raise NotWhole("a list names a key twice", where=self.where)
        return Listing(self._entries, self._own, index)

    def _shared(self, key: str, found: Found) -> Entry:
        value = found.value or b""
        desired = self._intern.get(key)
        if desired is not None and desired.value == value:
            value = desired.value
        # Flags are nearly all the mark, indexes are shared by the keys of a transaction.
        number = self._numbers.setdefault
        flags, index = number(found.flags, found.flags), number(found.modify_index, found.modify_index)
        return Entry(value, flags, index, found.session)
