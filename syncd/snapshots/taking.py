"""Taking a snapshot: to the disk and through every check while its bytes still come."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from hashlib import sha256
from io import FileIO
from itertools import count
from pathlib import Path

import msgspec

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.archive import Archive
from syncd.core.snapshots.census import Census, Contents
from syncd.core.snapshots.manifest import MANIFEST, Manifest, encode, file_name
from syncd.core.snapshots.records import Records
from syncd.snapshots.folder import HINT, UNFINISHED, Folder, beside
from syncd.snapshots.reading import Verified

Progress = Callable[[int], None]


class Taken(msgspec.Struct, frozen=True):
    """A snapshot that is on the disk, verified."""

    path: Path
    manifest: Manifest


async def take(
    folder: Folder, pieces: AsyncIterator[bytes], *, prefix: str, taken: int, day: date, progress: Progress
) -> Taken:
    """Write and verify what comes; the snapshot stands in the folder, for good, or an error is raised and nothing does.

    Call it with the folder locked. ``taken`` is in seconds since 1970, ``day`` the local date. Never holds more than a
    few pieces in memory; ``progress`` is told how many bytes came.
    """
    with _unfinished(folder) as part:
        found = await _receive(part, pieces, prefix, progress)
        return await asyncio.to_thread(_publish, folder, part, found, prefix=prefix, taken=taken, day=day)


async def _receive(part: Path, pieces: AsyncIterator[bytes], prefix: str, progress: Progress) -> Verified:
    """Work in a chain of threads: while one piece's records are walked through, the next is written and unpacked."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second, _writing(part) as incoming:
        counting = _Counting(prefix)
        counted = loop.run_in_executor(second, counting.add, ())
        try:
            async for piece in pieces:
                unpacked = await loop.run_in_executor(first, incoming.add, piece)
                await counted
                counted = loop.run_in_executor(second, counting.add, unpacked)
                progress(incoming.size)
            await loop.run_in_executor(first, incoming.to_disk)
        finally:
            with suppress(SnapshotError):
                await counted
        await counted
        contents = counting.finish(incoming)
        return Verified(incoming.sha256, incoming.size, contents)


class _Incoming:
    """The file that is being written, and what it holds."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._digest = sha256()
        self.archive = Archive()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def add(self, piece: bytes) -> Sequence[memoryview]:
        """Write a piece; return the state's bytes in it."""
        left = memoryview(piece)
        with _writes(self._file.name):
            while left:
                left = left[self._file.write(left) :]
        self._digest.update(piece)
        self.size += len(piece)
        return list(self.archive.feed(piece))

    def to_disk(self) -> None:
        with _writes(self._file.name):
            os.fsync(self._file.fileno())


class _Counting:
    """The state, record by record."""

    def __init__(self, prefix: str) -> None:
        self._census = Census(prefix)
        self._records = Records(self._census.wanted)

    def add(self, pieces: Sequence[memoryview]) -> None:
        for piece in pieces:
            for record in self._records.feed(piece):
                self._census.add(record)

    def finish(self, incoming: _Incoming) -> Contents:
        meta = incoming.archive.finish()
        self._records.finish()
        return self._census.contents(meta, self._records.kinds)


@contextmanager
def _unfinished(folder: Folder) -> Iterator[Path]:
    """Name a file to write; it is gone at the end of the block unless it has got another name."""
    part = folder.path / f"{UNFINISHED}{secrets.token_hex(4)}"
    try:
        yield part
    except SnapshotError as error:
        error.where = error.where or str(folder.path)
        error.hint = error.hint or "what came was thrown away; no snapshot was removed"
        raise
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def _writing(part: Path) -> Iterator[_Incoming]:
    with _writes(part):
        file = FileIO(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    try:
        yield _Incoming(file)
    finally:
        with suppress(OSError):  # whatever matters has been brought to the disk, or has failed before
            file.close()


def _publish(folder: Folder, part: Path, found: Verified, *, prefix: str, taken: int, day: date) -> Taken:
    """Give a verified file its name, its manifest first: a file without one would look foreign for ever."""
    path = _free(folder.path, day, found.contents)
    manifest = Manifest(
        file=path.name,
        taken=taken,
        date=day,
        size=found.size,
        sha256=found.sha256,
        prefix=prefix,
        contents=found.contents,
    )
    described = beside(path, MANIFEST)
    try:
        with _writes(folder.path):
            _write(part.with_name(part.name + MANIFEST), encode(manifest), described)
            part.rename(path)
            folder.sync()
    except SnapshotError:
        for each in (path, described):  # nothing stands here that was not acknowledged
            with suppress(OSError):
                each.unlink()
        raise
    return Taken(path, manifest)


def _free(directory: Path, day: date, contents: Contents) -> Path:
    """Choose a name that nothing has, whoever put it there."""
    names = (file_name(day, contents, number) for number in count(1))
    return next(directory / name for name in names if not _taken(directory / name))


def _taken(path: Path) -> bool:
    return os.path.lexists(path) or os.path.lexists(beside(path, MANIFEST))


def _write(part: Path, content: bytes, path: Path) -> None:
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _writes(where: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the snapshot cannot be written: {error.strerror}"
        raise SnapshotError(message, where=str(where), hint=HINT) from None
