"""Snapshots of the embedded store: Consul's archive, with records that only this store reads.

Keys, sessions and tombstones are written as Consul writes them, so that whatever reads a snapshot reads these too. The
version in ``meta.json`` is none that Raft knows: a real Consul refuses the archive and stays as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from syncd.core.errors import Damaged
from syncd.core.snapshots.archive import EMBEDDED, Archive, Meta
from syncd.core.snapshots.kinds import INDEX, KV, SESSION, TOMBSTONE
from syncd.core.snapshots.records import Record, Records, fields_of, packed, packed_header
from syncd.core.snapshots.writing import archive
from syncd.embedded.errors import NotOurs
from syncd.embedded.records import Entry, Session
from syncd.embedded.state import Image

T = TypeVar("T")
_KEYS: Final = "kvs"
_SESSIONS: Final = "sessions"


def write(image: Image) -> Iterator[bytes]:
    """Write an image as an archive, piece by piece; the records are made twice, and held never."""
    last = image.indexes.last
    size = sum(map(len, _state(image)))
    meta = Meta(index=last, term=1, size=size, version=EMBEDDED, id=f"1-{last}")
    return archive(msgspec.json.encode(meta) + b"\n", _state(image), size)


def _state(image: Image) -> Iterator[bytes]:
    indexes = image.indexes
    yield packed_header({"LastIndex": indexes.last})
    for name, index in ((_KEYS, indexes.keys), (_SESSIONS, indexes.sessions)):
        yield packed(INDEX, {"Key": name, "Value": index})
    for session in image.sessions.values():
        yield packed(SESSION, msgspec.to_builtins(session))
    for key, entry in image.entries.items():
        yield packed(KV, _fields(key, entry))
    for key, index in image.tombstones.items():
        yield packed(TOMBSTONE, {"Key": key, "Index": index})


def _fields(key: bytes, entry: Entry) -> Mapping[str, object]:
    return {
        "Key": key,
        "Value": entry.value or b"",
        "Flags": entry.flags,
        "Session": entry.session or "",
        "LockIndex": entry.lock_index,
        "CreateIndex": entry.create_index,
        "ModifyIndex": entry.modify_index,
    }


class Incoming:
    """Feed it an archive; at the end it gives the image. Raises Damaged, or NotOurs for what a Consul wrote."""

    def __init__(self) -> None:
        self._archive = Archive()
        self._records = Records()
        self._image = Image()
        self._ours = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        for part in self._archive.feed(piece):
            if not self._ours and not self._archive.meta().embedded:
                raise NotOurs
            self._ours = True
            for record in self._records.feed(part):
                self._take(record)

    def finish(self) -> Image:
        """Check that all of it came."""
        meta = self._archive.finish()
        self._records.finish()
        self._image.indexes.last = meta.index
        return self._image

    def _take(self, record: Record) -> None:
        take = _KINDS.get(record.kind)
        if take is None:
            raise Damaged(f"it holds a record of kind {record.kind}, which this version does not know")
        take(self._image, fields_of(record))


def _take_key(image: Image, fields: Mapping[bytes, object]) -> None:
    key = _typed(fields.get(b"Key"), bytes)
    image.entries[key] = Entry(
        lock_index=_number(fields, b"LockIndex"),
        key=key.decode("utf-8", "replace"),
        flags=_number(fields, b"Flags"),
        value=_typed(fields.get(b"Value") or b"", bytes) or None,
        session=_typed(fields.get(b"Session") or b"", bytes).decode() or UNSET,
        create_index=_number(fields, b"CreateIndex"),
        modify_index=_number(fields, b"ModifyIndex"),
    )


def _take_session(image: Image, fields: Mapping[bytes, object]) -> None:
    try:
        session = msgspec.convert(_texts(fields), Session)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Damaged(f"a session's record cannot be read: {error}") from None
    image.sessions[session.id] = session


def _take_tombstone(image: Image, fields: Mapping[bytes, object]) -> None:
    image.tombstones[_typed(fields.get(b"Key"), bytes)] = _number(fields, b"Index")


def _take_index(image: Image, fields: Mapping[bytes, object]) -> None:
    name, index = fields.get(b"Key"), _number(fields, b"Value")
    if name == _KEYS.encode():
        image.indexes.keys = index
    elif name == _SESSIONS.encode():
        image.indexes.sessions = index


_KINDS: Final = {KV: _take_key, SESSION: _take_session, TOMBSTONE: _take_tombstone, INDEX: _take_index}


def _number(fields: Mapping[bytes, object], name: bytes) -> int:
    return _typed(fields.get(name, 0), int)


def _typed(value: object, type_: type[T]) -> T:
    if not isinstance(value, type_):
        raise Damaged(f"a record holds a {type(value).__name__} where a {type_.__name__} belongs")
    return value


def _texts(value: object) -> object:
    """Turn msgpack's raw texts into texts, at any depth."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return {_texts(name): _texts(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_texts, value))
    return value
