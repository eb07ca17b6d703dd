"""Changing single records of a state as it streams by; every other byte stays as it is."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Cut(NamedTuple):
    """The bytes from ``start`` to ``end`` become ``record``; where both are the same, it is put in."""

    start: int
    end: int
    record: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the state grows."""
        return len(self.record) - (self.end - self.start)


def splice(pieces: Iterable[memoryview], cuts: Iterable[Cut]) -> Iterator[bytes | memoryview]:
    """Yield the pieces with the cuts made; they do not overlap."""
    coming = sorted(cuts)
    at = done = 0  # where this piece begins, and up to where the state has been told or cut out
    for piece in pieces:
        end = at + len(piece)
        while coming and coming[0].start < end:
            cut = coming.pop(0)
            yield piece[max(done - at, 0) : cut.start - at]
            yield cut.record
            done = cut.end
        yield piece[max(done - at, 0) :]
        at = end
        done = max(done, at)
    yield from (cut.record for cut in coming)
