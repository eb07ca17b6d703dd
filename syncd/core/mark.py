"""The mark: the ``Flags`` value by which a source knows its keys.

A constant above a 32-bit hash of the source's name, the whole below 2**53, because Consul's web UI keeps Flags on an
edit, but as a JavaScript number. ``consul kv put`` clears it.
"""

from hashlib import sha256
from typing import Final

_CONSTANT: Final = 0x15CD0
"""21 bits at most; reads "5yncd0", and keeps clear of small numbers that people use as flags."""

LOCK_FLAGS: Final = 0x2DDCCBC058A50C18
"""What ``consul lock`` writes on its lock keys (Consul's ``api.LockFlagValue``)."""
SEMAPHORE_FLAGS: Final = 0xE0F69A2BAA414DE0
"""What ``consul lock -n`` writes on its semaphore keys (Consul's ``api.SemaphoreFlagValue``)."""


def mark_of(source: str) -> int:
    """Return the mark of a source."""
    return _CONSTANT << 32 | int.from_bytes(sha256(source.encode()).digest()[:4], "big")


def is_mark(flags: int) -> bool:
    """Tell whether some syncd source, not necessarily this one, wrote these flags."""
    return flags >> 32 == _CONSTANT


def is_lock(flags: int) -> bool:
    """Tell whether ``consul lock`` uses this key."""
    return flags in (LOCK_FLAGS, SEMAPHORE_FLAGS)
