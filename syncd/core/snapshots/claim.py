"""What stands at ``.syncd/snapshot``: who takes the scheduled snapshot of a date. It proves nothing about a file."""

from datetime import date
from hashlib import sha256
from typing import Final

import msgspec

from syncd.core.documents import UNREADABLE

FORMAT: Final = 1
CLAIM_SECONDS: Final = 4000.0
"""How long a claim keeps others away while nobody leads: a little more than a snapshot may take."""

APART_SECONDS: Final = 900.0
"""Over how long they spread who may not claim. Consul fails one of two snapshots that are asked for in the same moment:
"failed to open snapshot" (1.8.7)."""


class Claim(msgspec.Struct, frozen=True):
    """A date, and the process that takes its snapshot: ``id`` tells it from any other; ``since`` in Unix seconds.

    ``epoch`` is the control record's: a claim of another one was brought back by a restore, and says nothing.
    """

    date: date
    id: str
    holder: str
    epoch: str
    since: int
    format: int = FORMAT

    def same(self, other: "Claim") -> bool:
        """Tell whether both say the same, whenever they were made."""
        return (self.date, self.id, self.epoch) == (other.date, other.id, other.epoch)

    def bars(self, wanted: "Claim", *, leading: bool) -> bool:
        """Tell whether another one may not be made. Whoever leads need not mind who led before."""
        if leading or self.id == wanted.id:
            return False
        fresh = abs(wanted.since - self.since) < CLAIM_SECONDS
        return (self.date, self.epoch) == (wanted.date, wanted.epoch) and fresh


def delay(id_: str) -> float:
    """Return by how much a process comes later, in seconds, where none may claim: each has its own share."""
    return APART_SECONDS * int.from_bytes(sha256(id_.encode()).digest()[:4]) / 2**32


def encode(claim: Claim) -> bytes:
    """Write a claim as JSON."""
    return msgspec.json.encode(claim)


def decode(text: bytes | None) -> Claim | None:
    """Read a claim; None where there is none that can be read."""
    try:
        return msgspec.json.decode(text, type=Claim) if text is not None else None
    except UNREADABLE:
        return None
