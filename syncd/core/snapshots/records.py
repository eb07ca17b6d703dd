"""``state.bin``: a header, then for each record a byte that tells its kind and one msgpack value.

As Consul's ``agent/consul/fsm/snapshot.go`` writes it. Texts and values are both raw msgpack strings, not always UTF-8.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Final, NamedTuple

import msgpack
import msgspec

from syncd.core.errors import Damaged
from syncd.core.snapshots.kinds import KV

MAX_RECORD_BYTES: Final = 1 << 26
"""A bound on memory, far above any record that Consul takes by default."""
_OPTIONS: Final = {"raw": True, "use_list": False, "strict_map_key": False}
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


class Kind(msgspec.Struct):
    """How many records there are of a kind, and what they take in ``state.bin``."""

    count: int = 0
    bytes: int = 0


class Records:
    """Feed it the state's bytes; it gives the records as soon as they are whole.

    ``wanted`` are bytes to look for: of keys, only those whose record holds them are then given. The other keys are
    walked through to their end, but nothing is made of them: with 100,000 keys that saves half of the time.
    ``kinds`` counts all records by their kind's number.
    """

    def __init__(self, wanted: bytes = b"") -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=MAX_RECORD_BYTES, **_OPTIONS)
        self._wanted = wanted
        self._window = bytearray()  # with ``wanted``: the bytes from the end of the last whole record on
        self._fed = 0
        self._read = 0
        self._kind = b""
        self._begun = False
        self.kinds: dict[int, Kind] = {}

    def feed(self, piece: bytes | memoryview) -> Iterator[Record]:
        """Take the next bytes. Raises Damaged."""
        self._fed += len(piece)
        try:
            self._unpacker.feed(piece)
            if not self._begun:
                self._begin(self._unpacker.unpack())
            yield from self._searched(piece) if self._wanted else self._whole()
        except msgpack.OutOfData:
            pass
        except _BAD as error:
            raise Damaged(f"its state cannot be read behind byte {self._read:,}: {_first(error)}") from None

    def finish(self) -> None:
        """Check that the state ended where a record does."""
        if not self._begun or self._read != self._fed:
            raise Damaged(f"its state ends in the middle of a record, behind byte {self._read:,}")

    def _begin(self, header: object) -> None:
        if not isinstance(header, dict) or not isinstance(header.get(b"LastIndex"), int):
            raise Damaged("its state does not begin with Consul's header")
        self._begun, self._read = True, self._unpacker.tell()

    def _whole(self) -> Iterator[Record]:
        unpacker = self._unpacker
        while kind := self._kind or unpacker.read_bytes(1):
            self._kind = kind
            value = unpacker.unpack()
            yield Record(kind[0], value, self._count(kind[0], unpacker.tell()))

    def _searched(self, piece: bytes | memoryview) -> Iterator[Record]:
        unpacker, window, wanted = self._unpacker, self._window, self._wanted
        base = self._fed - len(piece) - len(window)  # where the window begins in the state
        window += piece
        hit = _find(window, wanted, base, self._read)
        try:
            while kind := self._kind or unpacker.read_bytes(1):
                self._kind = kind
                is_key = kind[0] == KV
                value = unpacker.skip() if is_key else unpacker.unpack()
                begin, end = self._read, unpacker.tell()
                size = self._count(kind[0], end)
                if is_key and hit < end:
                    value = msgpack.unpackb(window[begin + 1 - base : end - base], **_OPTIONS)
                if value is not None:
                    yield Record(kind[0], value, size)
                if hit < end:
                    hit = _find(window, wanted, base, end)
        finally:
            del window[: self._read - base]

    def _count(self, kind: int, end: int) -> int:
        """Note that a record has ended; return its size."""
        self._kind, size, self._read = b"", end - self._read, end
        counted = self.kinds.get(kind) or self.kinds.setdefault(kind, Kind())
        counted.count += 1
        counted.bytes += size
        return size


def _find(window: bytearray, wanted: bytes, base: int, begin: int) -> float:
    found = window.find(wanted, begin - base)
    return inf if found < 0 else base + found


def packed(kind: int, value: object) -> bytes:
    """Write a record as it stands in the state."""
    return bytes((kind,)) + packed_header(value)


def packed_header(value: object) -> bytes:
    """Write a value as Consul does: texts and bytes alike."""
    return msgpack.packb(value, use_bin_type=False)  # type: ignore[no-any-return]  # msgpack carries no types


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
