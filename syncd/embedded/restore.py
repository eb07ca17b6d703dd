"""Replace the whole state by an older one."""

from collections.abc import Mapping
from typing import TypeVar

from syncd.embedded.state import Image, State
from syncd.embedded.step import Changes

K = TypeVar("K")
R = TypeVar("R")


def restore(state: State, image: Image) -> Changes:
    """Return what changes when ``image`` takes the state's place; its own last index goes on above both.

    Keys keep the indexes that they have in the image, as in Consul: for whoever watches them they fall.
    """
    image.indexes.last = max(state.indexes.last, image.indexes.last) + 1
    before = state.image()
    return Changes(
        _differences(before.entries, image.entries),
        _differences(before.tombstones, image.tombstones),
        _differences(before.sessions, image.sessions),
        restored=True,
    )


def _differences(before: Mapping[K, R], after: Mapping[K, R]) -> dict[K, R | None]:
    gone: dict[K, R | None] = dict.fromkeys(before.keys() - after.keys())
    return gone | {key: record for key, record in after.items() if before.get(key) != record}
