"""A mapping from byte strings that reads everything below a prefix in O(result)."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Generic, TypeVar

V = TypeVar("V")


class Tree(Generic[V]):
    """A dict with its keys kept sorted by their bytes, as Consul sorts them."""

    def __init__(self, items: Iterable[tuple[bytes, V]] = ()) -> None:
        self._items = dict(items)
        self._keys = sorted(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: bytes) -> V | None:
        """Return what stands at ``key``."""
        return self._items.get(key)

    def put(self, key: bytes, value: V) -> None:
        """Set ``key`` to ``value``."""
        if key not in self._items:
            insort(self._keys, key)
        self._items[key] = value

    def remove(self, key: bytes) -> None:
        """Take out ``key``, which must be there."""
        del self._items[key]
        del self._keys[bisect_left(self._keys, key)]

    def remove_below(self, prefix: bytes) -> list[tuple[bytes, V]]:
        """Take out everything whose key starts with ``prefix`` and return it."""
        span = self._span(prefix)
        removed = [(key, self._items.pop(key)) for key in self._keys[span]]
        del self._keys[span]
        return removed

    def items(self) -> dict[bytes, V]:
        """Return a copy of everything."""
        return dict(self._items)

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return the keys that start with ``prefix``, in order."""
        return self._keys[self._span(prefix)]

    def values(self, prefix: bytes) -> list[V]:
        """Return what stands below ``prefix``, in the order of its keys."""
        return [self._items[key] for key in self._keys[self._span(prefix)]]

    def _span(self, prefix: bytes) -> slice:
        start = bisect_left(self._keys, prefix)
        after = prefix.rstrip(b"\xff")
        if not after:
            return slice(start, len(self._keys))
        return slice(start, bisect_left(self._keys, after[:-1] + bytes([after[-1] + 1]), start))
