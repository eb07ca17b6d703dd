"""Taking: on the disk and proved, or not there at all."""

import asyncio
import hashlib
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from syncd.core.errors import Damaged, SnapshotError, Unreachable
from syncd.core.snapshots.manifest import decode
from syncd.snapshots.folder import Folder
from syncd.snapshots.reading import verify
from syncd.snapshots.taking import take
from tests.support.snapshots import archive, kv, snapshot, state
from tests.unit.snapshots.conftest import Put, in_pieces

DAY = date(2026, 11, 26)


def names(folder: Folder) -> set[str]:
    return {entry.name for entry in folder.path.iterdir()} - {".syncd-lock"}


def test_it_stands_there_under_its_name_with_its_manifest(folder: Folder, put: Put) -> None:
    taken = put()
    assert taken.path == folder.path / "consul-20261126-1570-c0ffee1.snap"
    assert names(folder) == {taken.path.name, f"{taken.path.name}.json"}
    manifest = decode((folder.path / f"{taken.path.name}.json").read_bytes())
    assert manifest == taken.manifest
    content = taken.path.read_bytes()
    assert (manifest.size, manifest.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (manifest.contents.keys, manifest.contents.commit) == (2, "c0ffee1" * 5)
    assert verify(taken.path, "app").contents == manifest.contents
    assert taken.path.stat().st_mode & 0o777 == 0o600
    (kept,) = folder.snapshots()
    assert kept.manifest == manifest


def test_what_stands_there_is_never_written_over(folder: Folder, put: Put) -> None:
    first, second = put(), put()
    assert [first.path.name, second.path.name] == [
        "consul-20261126-1570-c0ffee1.snap",
        "consul-20261126-1570-c0ffee1-2.snap",
    ]
    (folder.path / "consul-20261126-1570-c0ffee1-3.snap").write_text("somebody's own")
    (folder.path / "consul-20261126-1570-c0ffee1-4.snap.json").write_text("theirs")
    assert put().path.name == "consul-20261126-1570-c0ffee1-5.snap"
    assert (folder.path / "consul-20261126-1570-c0ffee1-3.snap").read_text() == "somebody's own"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(snapshot(kv("a"))[:-1], id="cut off"),
        pytest.param(snapshot(kv("a"))[:40], id="cut off early"),
        pytest.param(archive(state([kv("a")])[:-1]), id="half a record"),
        pytest.param(archive(state([]) + b"\x02\xc1" + bytes(10_000)), id="no record"),
        pytest.param(b"<html>502</html>", id="another answer"),
    ],
)
def test_what_is_no_whole_snapshot_leaves_nothing(folder: Folder, put: Put, content: bytes) -> None:
    kept = put()
    with pytest.raises(Damaged) as raised:
        put(content)
    assert raised.value.where == str(folder.path)
    assert "no snapshot was removed" in raised.value.hint
    assert names(folder) == {kept.path.name, f"{kept.path.name}.json"}


async def test_a_stream_that_breaks_off_leaves_nothing(folder: Folder) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield snapshot(kv("a"))[:100]
        raise Unreachable("the answer broke off")

    with folder.locked(), pytest.raises(Unreachable):
        await take(folder, broken(), prefix="", taken=1, day=DAY, progress=lambda _: None)
    assert names(folder) == set()


async def test_who_is_stopped_while_taking_leaves_nothing(folder: Folder) -> None:
    came = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield snapshot(kv("a"))[:100]
        came.set()
        await asyncio.Event().wait()

    async def run() -> None:
        with folder.locked():
            await take(folder, endless(), prefix="", taken=1, day=DAY, progress=lambda _: None)

    taking = asyncio.create_task(run())
    await came.wait()
    assert len(names(folder)) == 1
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert names(folder) == set()


async def test_progress_is_told_in_bytes(folder: Folder) -> None:
    told: list[int] = []
    content = snapshot(kv("a"))
    with folder.locked():
        await take(folder, in_pieces(content, 50), prefix="", taken=1, day=DAY, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == len(content)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [100, 450])
def test_a_file_that_cannot_grow_is_an_error_and_leaves_nothing(folder: Folder, put: Put, limit: int) -> None:
    """The first limit stops the snapshot itself, the second its manifest."""
    kept = put()
    content = snapshot(kv("a"))
    assert 100 < len(content) < 450 < (folder.path / f"{kept.path.name}.json").stat().st_size
    with files_of_at_most(limit), pytest.raises(SnapshotError, match="cannot be written: File too large"):
        put(content)
    assert names(folder) == {kept.path.name, f"{kept.path.name}.json"}
    assert put(content).path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system of its own")
def test_a_full_disk_is_an_error_and_the_old_snapshots_stay(tmp_path: Path, put: Put, folder: Folder) -> None:
    folder.path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder.path], check=False).returncode:
        pytest.skip("this container may not mount")
    try:
        kept = put()
        with pytest.raises(SnapshotError, match="No space left on device") as raised:
            put(snapshot(kv("large", os.urandom(80_000))))
        assert "free space" in raised.value.hint
        assert names(folder) == {kept.path.name, f"{kept.path.name}.json"}
        assert verify(kept.path, "app").sha256 == kept.manifest.sha256
        assert put().path.exists()
    finally:
        subprocess.run(["umount", folder.path], check=True)


def test_a_directory_that_cannot_be_is_an_error(tmp_path: Path, put: Put, folder: Folder) -> None:
    folder.path.write_text("a file")
    with pytest.raises(SnapshotError, match="cannot be used: File exists") as raised:
        put()
    assert raised.value.where == str(folder.path)
