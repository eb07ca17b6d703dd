"""Taking single keys back: which are written, and which are not ours to write."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from syncd.core import live
from syncd.core.desired import DesiredKey
from syncd.core.keeping import Drifted
from syncd.core.keys import RESERVED, own_prefix
from syncd.core.mark import is_lock, is_mark
from syncd.core.snapshots.comparing import Changed, side_of
from syncd.core.snapshots.records import Entry

_OWN: Final = "it is syncd's own"
_LOCK: Final = "it is, or was, held by a session"
_GONE: Final = (
    "git wrote it then and does not name it now; bring it back in git: syncd snapshot show prints its value, "
    "extract --output yaml --into FOLDER writes files"
)
_THEIRS: Final = "a syncd wrote what stands there now, and would again"
_NAME: Final = "its name is not UTF-8"

Keys = Mapping[str, DesiredKey]


class Left(msgspec.Struct, frozen=True):
    """A key that is not brought back, and why."""

    key: str
    why: str


class Bringing(msgspec.Struct, frozen=True):
    """What is written, each with the index that must still stand there; what git must say; what is left."""

    writes: tuple[tuple[Entry, int], ...]
    changes: tuple[Changed, ...]
    git: tuple[Drifted, ...]
    left: tuple[Left, ...]
    same: int


def choose(entries: Iterable[Entry], found: Mapping[str, live.Entry], git: Keys, prefix: str) -> Bringing:
    """Sort keys out, by their full names; ``git`` is what the newest commit says, relative to ``prefix``.

    Keys that are only in the store are nobody's business here.
    """
    writes, changes, patched, left, same = [], [], [], [], 0
    front = own_prefix(prefix)
    for entry in entries:
        stands = found.get(entry.key)
        said = git.get(entry.key.removeprefix(front)) if entry.key.startswith(front) else None
        why = "" if said is not None else _hindrance(entry, stands)
        if why:
            left.append(Left(entry.key, why))
        elif said is not None:
            if said.value != entry.value:
                patched.append(_patched(entry, said, front))
            else:
                same += 1
        elif stands is not None and (stands.value, stands.flags) == (entry.value, entry.flags):
            same += 1
        else:
            writes.append((entry, stands.index if stands else 0))
            old = side_of(stands.value, stands.flags) if stands else None
            changes.append(Changed(entry.key, old, side_of(entry.value, entry.flags)))
    return Bringing(tuple(writes), tuple(changes), tuple(patched), tuple(left), same)


def _hindrance(entry: Entry, stands: live.Entry | None) -> str:
    if RESERVED in entry.key.split("/"):
        return _OWN
    if not entry.key.isascii() and any("\ud800" <= char <= "\udfff" for char in entry.key):
        return _NAME
    if entry.session or is_lock(entry.flags) or (stands is not None and stands.session):
        return _LOCK
    if stands is not None and is_mark(stands.flags):
        return _THEIRS
    return _GONE if is_mark(entry.flags) else ""


def _patched(entry: Entry, said: DesiredKey, front: str) -> Drifted:
    """Describe a key as if it had drifted to what the snapshot holds."""
    return Drifted(entry.key.removeprefix(front), said.value, said.hash, entry.value, said, said.secret, "same")
