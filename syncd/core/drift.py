"""Drift: where the live store is not what the applied commit says."""

from collections.abc import Mapping

from syncd.core.desired import Base
from syncd.core.digest import value_hash
from syncd.core.live import Entry


def drifted(base: Base, live: Mapping[str, Entry]) -> tuple[str, ...]:
    """List the keys of the applied commit that are missing or hold another value; a lost mark alone is no drift."""
    return tuple(sorted(key for key in base if _differs(base, key, live.get(key))))


def _differs(base: Base, key: str, entry: Entry | None) -> bool:
    said = base.get(key)
    return said is not None and (entry is None or value_hash(entry.value) != said.hash)
