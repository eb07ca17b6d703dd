"""Keeping snapshots: those that retention has no use for are deleted, and damage is found."""

from collections.abc import Callable, Collection
from itertools import takewhile
from pathlib import Path
from threading import Event

import msgspec

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.retention import Dated, Policy, kept
from syncd.snapshots.folder import Folder, Kept
from syncd.snapshots.reading import file_hash


class Swept(msgspec.Struct, frozen=True):
    """What was deleted, and what is not what was taken: that counts for nothing, and is left for a person to see."""

    removed: tuple[str, ...]
    damaged: tuple[str, ...]


def sweep(folder: Folder, policy: Policy, newest: Path, stop: Event | None = None) -> Swept:
    """Delete what the policy does not keep; call it with the folder locked, right after ``newest`` was taken.

    Every file is read and compared with its manifest first. Foreign and damaged ones are never deleted. Once ``stop``
    is set, it reads no further file and deletes nothing.
    """
    present = folder.snapshots()
    read = takewhile(lambda _: not (stop and stop.is_set()), present)
    sound = {each.name: each for each in read if intact(each)}
    if stop and stop.is_set():
        return Swept((), ())
    staying = kept((_dated(each) for each in sound.values()), policy)
    removed = [each for each in sound.values() if each.name not in staying and each.name != newest.name]
    for each in removed:
        folder.remove(each)
    if removed:
        folder.sync()
    damaged = (each.name for each in present if each.name not in sound and (each.manifest or each.fault))
    return Swept(tuple(each.name for each in removed), tuple(damaged))


def newest(folder: Folder, wanted: Callable[[Manifest], bool], known: Collection[Kept | None] = ()) -> Kept | None:
    """Find the newest sound snapshot whose manifest is wanted; those that are ``known`` to be sound are not read."""
    listed = (each for each in reversed(folder.snapshots()) if each.manifest and wanted(each.manifest))
    return next((each for each in listed if each in known or intact(each)), None)


def intact(each: Kept) -> bool:
    """Read a file's bytes: are they those that were verified when it was taken?"""
    try:
        return each.manifest is not None and file_hash(each.path) == each.manifest.sha256
    except SnapshotError:  # it cannot even be read
        return False


def _dated(each: Kept) -> Dated:
    assert isinstance(each.manifest, Manifest)
    return Dated(each.name, each.manifest.date, each.manifest.taken, each.pinned)
