"""``state.bin``: a header, then for each record a byte that tells its kind and one msgpack value.

As Consul's ``agent/consul/fsm/snapshot.go`` writes it. Texts and values are both raw msgpack strings, not always UTF-8.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgpack
import msgspec

from syncd.core.errors import Damaged

MAX_RECORD_BYTES: Final = 1 << 26
"""A bound on memory, far above any record that Consul takes by default."""
_BAD: Final = (ValueError, TypeError, msgpack.UnpackException)
"""What msgpack raises on bytes that are no value, or one that Python cannot hold."""


class Record(NamedTuple):
    """One record: its kind's number, its value as msgpack has it, and its size with the byte in front."""

    kind: int
    value: object
    size: int


class Entry(msgspec.Struct, frozen=True):
    """A key as a snapshot holds it. What is not UTF-8 in a key's name is kept as surrogates."""

    key: str
    value: bytes
    flags: int = 0
    create_index: int = 0
    modify_index: int = 0
    session: str = ""


class Records:
    """Feed it the state's bytes; it gives the records as soon as they are whole."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(
            raw=True, use_list=False, strict_map_key=False, max_buffer_size=MAX_RECORD_BYTES
        )
        self._fed = 0
        self._read = 0
        self._kind = b""
        self.header: Mapping[object, object] | None = None

    def feed(self, piece: bytes | memoryview) -> Iterator[Record]:
        """Take the next bytes. Raises Damaged."""
        unpacker = self._unpacker
        self._fed += len(piece)
        try:
            unpacker.feed(piece)
            if self.header is None:
                self._begin(unpacker.unpack())
            while kind := self._kind or unpacker.read_bytes(1):
                self._kind = kind
                value = unpacker.unpack()
                self._kind, before, self._read = b"", self._read, unpacker.tell()
                yield Record(kind[0], value, self._read - before)
        except msgpack.OutOfData:
            pass
        except _BAD as error:
            raise Damaged(f"its state cannot be read behind byte {self._read:,}: {_first(error)}") from None

    def finish(self) -> None:
        """Check that the state ended where a record does."""
        if self.header is None or self._read != self._fed:
            raise Damaged(f"its state ends in the middle of a record, behind byte {self._read:,}")

    def _begin(self, header: object) -> None:
        if not isinstance(header, dict) or not isinstance(header.get(b"LastIndex"), int):
            raise Damaged("its state does not begin with Consul's header")
        self.header, self._read = header, self._unpacker.tell()


def fields_of(record: Record) -> Mapping[bytes, object]:
    """Return a record's fields, for those kinds that have any."""
    if not isinstance(record.value, dict):
        raise Damaged(f"a record of kind {record.kind} has no fields")
    return record.value


def key_of(record: Record) -> bytes:
    """Return the name of a key's record."""
    key = fields_of(record).get(b"Key")
    if not isinstance(key, bytes):
        raise Damaged("a key's record has no name")
    return key


def entry_of(record: Record) -> Entry:
    """Read a key's record."""
    fields = fields_of(record)
    try:
        return msgspec.convert(
            {
                "key": key_of(record).decode(errors="surrogateescape"),
                "value": fields.get(b"Value") or b"",
                "flags": fields.get(b"Flags", 0),
                "create_index": fields.get(b"CreateIndex", 0),
                "modify_index": fields.get(b"ModifyIndex", 0),
                "session": _text(fields.get(b"Session")),
            },
            Entry,
        )
    except msgspec.ValidationError as error:
        raise Damaged(f"a key's record cannot be read: {error}") from None


def _text(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _first(error: Exception) -> str:
    """Say what msgpack says; it never quotes a value."""
    return str(error) or type(error).__name__
