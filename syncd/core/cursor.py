"""Where a watch stands: what one answer of a blocking query means after the one before.

Borrowed rules (Consul's blocking queries): an index is only compared with the same watch's last one; a lower one means
that the store went back in time or that a tombstone was reaped; and a restore wakes whoever waits while the index
stays. After either of these only a read in full tells what the store holds.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec


class CursorState(StrEnum):
    """How much a watch's index may be relied on."""

    BORROWED = "borrowed"  # it comes from a wider list: the watch's own may be lower
    KNOWN = "known"  # it comes from this watch's last answer
    LOST = "lost"  # nothing follows from it any more


class CursorEvent(StrEnum):
    """What an answer's index is to the last one."""

    GREW = "grew"
    SAME = "same"
    FELL = "fell"
    EARLY = "early"  # not grown, and yet the answer came before the wait was over
    CONTRADICTED = "contradicted"  # a key's own index fell


TABLE: Final[dict[CursorState, dict[CursorEvent, CursorState]]] = {
    CursorState.BORROWED: {
        CursorEvent.GREW: CursorState.KNOWN,
        CursorEvent.SAME: CursorState.KNOWN,
        CursorEvent.FELL: CursorState.KNOWN,
        CursorEvent.EARLY: CursorState.LOST,
        CursorEvent.CONTRADICTED: CursorState.LOST,
    },
    CursorState.KNOWN: {
        CursorEvent.GREW: CursorState.KNOWN,
        CursorEvent.SAME: CursorState.KNOWN,
        CursorEvent.FELL: CursorState.LOST,
        CursorEvent.EARLY: CursorState.LOST,
        CursorEvent.CONTRADICTED: CursorState.LOST,
    },
    CursorState.LOST: dict.fromkeys(CursorEvent, CursorState.LOST),
}

Seen = Literal["nothing", "changed", "reset"]


class Cursor(msgspec.Struct, frozen=True):
    """A blocking query's place: the index to wait beyond."""

    index: int
    state: CursorState = CursorState.BORROWED

    def observe(self, index: int, *, early: bool, contradicted: bool = False) -> tuple["Cursor", Seen]:
        """Take an answer's index; tell where the watch stands now and what to do about the answer.

        ``early``: it came before the wait was over. ``contradicted``: a key in it has a lower index than was seen.
        """
        event = self._event(index, early=early, contradicted=contradicted)
        state = TABLE[self.state][event]
        if state is CursorState.LOST:
            return Cursor(0, state), "reset"
        told = event is not CursorEvent.SAME or self.state is CursorState.BORROWED
        return Cursor(index, state), "changed" if told else "nothing"

    def _event(self, index: int, *, early: bool, contradicted: bool) -> CursorEvent:
        if contradicted:
            return CursorEvent.CONTRADICTED
        if index > self.index:
            return CursorEvent.GREW
        if early:
            return CursorEvent.EARLY
        return CursorEvent.SAME if index == self.index else CursorEvent.FELL
