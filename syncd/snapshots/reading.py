"""Reading a snapshot file, every byte of it proved on the way."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from io import FileIO
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import Final

import msgspec

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.archive import Archive, Meta
from syncd.core.snapshots.census import Census, Contents
from syncd.core.snapshots.kinds import KV
from syncd.core.snapshots.records import Entry, Kind, Record, Records, entry_of, key_of
from syncd.snapshots.folder import unreadable

_CHUNK: Final = 256 * 1024
_HINT: Final = "it cannot be trusted; nothing was changed. syncd snapshot verify finds those that can"


class Verified(msgspec.Struct, frozen=True):
    """A file that is a whole snapshot, byte for byte."""

    sha256: str
    size: int
    contents: Contents


def verify(path: Path, prefix: str) -> Verified:
    """Read a file to its end and prove it; raise Damaged, or SnapshotError where it cannot be read."""
    census = Census(prefix)
    reading = Reading(path, census.wanted)
    for record in reading:
        census.add(record)
    return Verified(reading.sha256, reading.size, census.contents(reading.meta, reading.kinds))


def entries(path: Path, prefix: str = "", stop: Event | None = None) -> list[Entry]:
    """Return every key that begins with ``prefix``, in the file's order, once the whole file is proved.

    Once ``stop`` is set it reads no further, and what it returns is worth nothing.
    """
    front = prefix.encode(errors="surrogateescape")
    records = takewhile(lambda _: not stop.is_set(), Reading(path)) if stop else Reading(path)
    return [entry_of(record) for record in records if record.kind == KV and key_of(record).startswith(front)]


def find(path: Path, key: str, *, proved: bool) -> Entry | None:
    """Return one key; a file that is ``proved`` by its hash is read no further than to that key."""
    name, found = key.encode(errors="surrogateescape"), None
    for record in Reading(path, name):
        if record.kind == KV and key_of(record) == name:
            found = entry_of(record)
            if proved:
                break
    return found


def file_hash(path: Path) -> str:
    """Hash a file's bytes."""
    with _named(path), _open(path) as file:
        digest = sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        return digest.hexdigest()


def state_of(path: Path) -> Iterator[memoryview]:
    """Yield the bytes of ``state.bin``; proved, as with ``Reading``, at the end."""
    archive = Archive()
    with _named(path):
        for pieces in Reading(path).unpacked(archive):
            yield from pieces
        archive.finish()


class Reading:
    """Yields a file's records; what it yields is proved once it has come to its end without an error.

    ``sha256``, ``size``, ``meta``, ``meta_json`` and ``kinds`` are known from then on. Of keys it yields only those
    whose record holds ``wanted``. Reading and unpacking run ahead on a thread of their own.
    """

    meta: Meta
    meta_json: bytes

    def __init__(self, path: Path, wanted: bytes = b"") -> None:
        self._path = path
        self._records = Records(wanted)
        self._digest = sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes so far."""
        return self._digest.hexdigest()

    @property
    def kinds(self) -> Mapping[int, Kind]:
        """The records so far, counted by the number of their kind."""
        return self._records.kinds

    def __iter__(self) -> Iterator[Record]:
        archive, records = Archive(), self._records
        with _named(self._path):
            for pieces in _ahead(self.unpacked(archive)):
                for piece in pieces:
                    yield from records.feed(piece)
            # What was cut off is told as such, rather than as the record that it was cut in.
            self.meta, self.meta_json = archive.finish(), archive.meta_json
            records.finish()

    def unpacked(self, archive: Archive) -> Iterator[Sequence[memoryview]]:
        """Yield the state's bytes as they come."""
        with _open(self._path) as file:
            while chunk := file.read(_CHUNK):
                self._digest.update(chunk)
                self.size += len(chunk)
                yield list(archive.feed(chunk))


def _ahead(pieces: Iterator[Sequence[memoryview]]) -> Iterator[Sequence[memoryview]]:
    """Work out the next item on another thread while the last one is used: zlib and SHA-256 leave Python free."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, pieces, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, pieces, None)
            yield item


def _open(path: Path) -> FileIO:
    """Open a file for reading; a pipe would keep whoever opens it waiting for a writer, so it is not waited for."""
    file = FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SnapshotError("this is not a file", hint="name a snapshot's file")
    return file


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in every error which file it is about."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from None
    except SnapshotError as error:
        error.where, error.hint = str(path), error.hint or _HINT
        raise
