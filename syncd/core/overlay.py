"""A mapping made from another one by a few changes, without copying it: the changes alone are what it costs."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Final, TypeVar

from msgspec import UNSET

T = TypeVar("T")

_THICK: Final = 16


class Overlay(MutableMapping[str, T]):
    """Looks like a copy of a mapping that nobody may change any more; in no order, and no value is None."""

    __slots__ = ("_below", "_over", "_size")

    def __init__(self, below: Mapping[str, T], over: dict[str, T | None], size: int) -> None:
        self._below = below
        self._over = over
        self._size = size

    @classmethod
    def of(cls, below: Mapping[str, T]) -> "Overlay[T]":
        """Lay one over a mapping; over another overlay, it lies on the same mapping as that."""
        return below.once_more() if isinstance(below, Overlay) else cls(below, {}, len(below))

    def once_more(self) -> "Overlay[T]":
        """Return one that looks the same; where a sixteenth was touched by now, it begins with a copy after all."""
        if len(self._over) * _THICK > len(self._below):
            return Overlay(self._flat(), {}, self._size)
        return Overlay(self._below, self._over.copy(), self._size)

    def __contains__(self, key: object) -> bool:
        found = self._over.get(key, UNSET) if isinstance(key, str) else None
        return key in self._below if found is UNSET else found is not None

    def __getitem__(self, key: str) -> T:
        found = self._over.get(key, UNSET)
        if found is None:
            raise KeyError(key)
        return self._below[key] if found is UNSET else found

    def __setitem__(self, key: str, value: T) -> None:
        self._size += key not in self
        self._over[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._over[key] = None

    def __iter__(self) -> Iterator[str]:
        over = self._over
        yield from (key for key in self._below if key not in over)
        yield from (key for key, value in over.items() if value is not None)

    def __len__(self) -> int:
        return self._size

    def _flat(self) -> dict[str, T]:
        flat = dict(self._below)
        for key, value in self._over.items():
            if value is None:
                flat.pop(key, None)
            else:
                flat[key] = value
        return flat
