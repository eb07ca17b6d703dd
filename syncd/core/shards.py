"""Cutting the keys below a prefix into few watches: a change then costs the reading of one part, not of everything."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice, takewhile
from typing import Final

import msgspec

WHOLE_UP_TO: Final = 2_000
"""So many keys are read in some milliseconds: one watch does."""
FINEST: Final = 128
"""A part of so few keys is not cut any further."""


class Shard(msgspec.Struct, frozen=True, order=True):
    """What one watch covers: every key that begins with ``prefix``, or, ``exact``, the key of that name alone.

    Exact, because a key may stand beside keys below it: no prefix holds ``a`` without ``a/b``.
    """

    prefix: str
    exact: bool = False

    def holds(self, key: str) -> bool:
        """Tell whether a key belongs here."""
        return key == self.prefix if self.exact else key.startswith(self.prefix)


WHOLE: Final = Shard("")


def span(keys: Sequence[str], shard: Shard, low: int = 0, high: int | None = None) -> tuple[int, int]:
    """Return where a shard's keys begin and end among sorted keys."""
    length, prefix = len(shard.prefix), shard.prefix
    start = bisect_left(keys, prefix, low, high)
    if shard.exact:
        return start, start + (start < len(keys) and keys[start] == prefix)
    return start, bisect_right(keys, prefix, start, high, key=lambda key: key[:length])


def cut(keys: Sequence[str], most: int) -> tuple[Shard, ...]:
    """Cut sorted keys into at most ``most`` shards of about one weight, each key in exactly one.

    No watch can hold a key with empty or dot segments, which Consul redirects, so such keys may be left out.
    """
    if len(keys) <= WHOLE_UP_TO:
        return (WHOLE,)
    whole: list[Shard] = []
    rest = [(-len(keys), WHOLE)]
    while rest:
        weight, shard = heappop(rest)
        parts = list(_parts(keys, *span(keys, shard))) if -weight > FINEST else []
        if not parts or len(whole) + len(rest) + len(parts) > most:
            whole.append(shard)
            continue
        for part in parts:
            low, high = span(keys, part)
            heappush(rest, (low - high, part))
    return tuple(sorted(whole))


def _parts(keys: Sequence[str], low: int, high: int) -> Iterator[Shard]:
    """Split keys ``low`` to ``high`` behind what all of them begin with."""
    common = _common(keys[low], keys[high - 1])
    if keys[low] == common:
        if is_watchable(common):
            yield Shard(common, exact=True)
        low += 1
    while low < high:
        part = Shard(keys[low][: len(common) + 1])
        end = span(keys, part, low, high)[1]
        if is_watchable(part.prefix):
            yield part
        elif end - low > 1:
            yield from _parts(keys, low, end)
        else:
            yield from _alone(keys[low], len(common) + 2)
        low = end


def _alone(key: str, shortest: int) -> Iterator[Shard]:
    ends = (end for end in range(shortest, len(key) + 1) if is_watchable(key[:end]))
    yield from (Shard(key[:end]) for end in islice(ends, 1))


def _common(first: str, last: str) -> str:
    """Return what two keys, and so all between them in order, begin with."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(char for char, _ in same)


def is_watchable(prefix: str) -> bool:
    """Tell whether Consul answers for exactly this prefix.

    It redirects what holds empty or dot segments to another one, and what is not UTF-8 comes with U+FFFD in its place.
    """
    *folders, last = prefix.split("/")
    return not any(each in ("", ".", "..") for each in folders) and last not in (".", "..") and "\ufffd" not in prefix


class Cover:
    """Shards of which no two hold the same key; says which one holds a key, and takes in what none holds."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._shards = sorted(shards)
        self._prefixes = [shard.prefix for shard in self._shards]

    def __len__(self) -> int:
        return len(self._shards)

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards)

    @property
    def whole(self) -> bool:
        """Tell whether no space is left uncovered."""
        return self._shards == [WHOLE]

    def find(self, key: str) -> Shard | None:
        """Return the shard that holds a key."""
        at = bisect_right(self._prefixes, key) - 1
        return self._shards[at] if at >= 0 and self._shards[at].holds(key) else None

    def extend(self, key: str) -> Shard | None:
        """Add a shard for a key that none holds: the widest that crosses no other; None where no watch can hold it."""
        ends = (end for end in range(1, len(key) + 1) if is_watchable(key[:end]) and not self._crosses(key[:end]))
        end = next(ends, None)
        if end is None and not is_watchable(key):
            return None
        shard = Shard(key, exact=True) if end is None else Shard(key[:end])
        self._shards.insert(bisect_left(self._shards, shard), shard)
        self._prefixes = [each.prefix for each in self._shards]
        return shard

    def remove(self, shard: Shard) -> None:
        """Give up a shard, which holds no key any more."""
        self._shards.remove(shard)
        self._prefixes = [each.prefix for each in self._shards]

    def missing(self, keys: Sequence[str]) -> list[str]:
        """List those of sorted keys that no shard holds."""
        found, last = list[str](), 0
        for low, high in (span(keys, shard) for shard in self._shards):
            found += keys[last:low]
            last = high
        return [*found, *keys[last:]]

    def heaviest(self, keys: Sequence[str]) -> int:
        """Return the number of keys in the fullest shard."""
        return max((high - low for low, high in (span(keys, shard) for shard in self._shards)), default=0)

    def _crosses(self, prefix: str) -> bool:
        at = bisect_left(self._prefixes, prefix)
        return at < len(self._prefixes) and self._prefixes[at].startswith(prefix)


def is_crowded(cover: Cover, keys: Sequence[str], most: int) -> bool:
    """Tell whether a new cut of these sorted keys would make the heaviest answer less than half as heavy."""
    heaviest = cover.heaviest(keys)
    return heaviest > WHOLE_UP_TO and heaviest > 2 * Cover(cut(keys, most)).heaviest(keys)
