"""A snapshot made ready to be put back: syncd is paused in it, and its epoch is a new one.

Between a restore and a pause that is written after it a daemon would see its old revision, unpaused, and go on from
there. So the order stands in what is restored; every record but those two keeps its bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from syncd.core import control, keys, record
from syncd.core.control import Pause
from syncd.core.errors import RecordError
from syncd.core.snapshots.kinds import KV
from syncd.core.snapshots.records import fields_of, packed
from syncd.core.snapshots.splicing import Cut, splice
from syncd.core.snapshots.writing import archive
from syncd.snapshots.reading import Reading, state_of

_Found = dict[str, tuple[int, int, Mapping[bytes, object]]]
_EMPTY: Final[Mapping[bytes, object]] = {b"LockIndex": 0, b"Flags": 0, b"Session": b""}


class Prepared:
    """An archive that is made while it is sent; it can be sent more than once."""

    def __init__(self, path: Path, meta: bytes, size: int, cuts: tuple[Cut, ...]) -> None:
        self._path = path
        self._meta = meta
        self._size = size
        self._cuts = cuts

    def __iter__(self) -> Iterator[bytes]:
        return archive(self._meta, splice(state_of(self._path), self._cuts), self._size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


def prepare(path: Path, prefix: str, pause: Pause, epoch: str) -> Prepared:
    """Read a file, every byte of it, and find what must change; raise Damaged where it is not sound."""
    ours = {keys.control_key(prefix), keys.record_key(prefix)}
    reading, found, told = Reading(path), _Found(), 0
    for each in reading:
        if each.kind == KV:
            key = fields_of(each).get(b"Key")
            name = key.decode(errors="surrogateescape") if isinstance(key, bytes) else ""
            if name in ours:
                found[name] = (told, each.size, fields_of(each))
        told += each.size
    meta = reading.meta
    cuts = tuple(_cuts(found, prefix, pause, epoch, meta.index, meta.size, meta.size - told))
    size = meta.size + sum(cut.growth for cut in cuts)
    fields = msgspec.json.decode(reading.meta_json, type=dict[str, object])
    return Prepared(path, msgspec.json.encode({**fields, "Size": size}) + b"\n", size, cuts)


def _cuts(found: _Found, prefix: str, pause: Pause, epoch: str, index: int, end: int, header: int) -> Iterator[Cut]:
    name = keys.control_key(prefix)
    at, size, fields = found.get(name, (end - header, 0, {**_EMPTY, b"Key": name.encode(), b"CreateIndex": index}))
    yield _cut(at + header, size, fields, _paused(fields.get(b"Value"), pause), index)
    if keys.record_key(prefix) in found:
        at, size, fields = found[keys.record_key(prefix)]
        renewed = _renewed(fields.get(b"Value"), epoch)
        if renewed is not None:
            yield _cut(at + header, size, fields, renewed, index)


def _cut(at: int, size: int, fields: Mapping[bytes, object], value: bytes, index: int) -> Cut:
    return Cut(at, at + size, packed(KV, {**fields, b"Value": value, b"ModifyIndex": index}))


def _paused(value: object, pause: Pause) -> bytes:
    """Add the pause to the orders of then, but for an approval: it was for another plan."""
    try:
        standing = control.decode(value if isinstance(value, bytes) else None)
    except RecordError:
        standing = control.Control()
    return control.encode(msgspec.structs.replace(standing, approval=None, pause=pause))


def _renewed(value: object, epoch: str) -> bytes | None:
    """Give the control record a new epoch; one that cannot be read stays for a person to see."""
    try:
        found = record.decode(value if isinstance(value, bytes) else b"")
    except RecordError:
        return None
    return record.encode(msgspec.structs.replace(found, epoch=epoch, stamp=epoch))
