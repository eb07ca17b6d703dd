"""Snapshot files, read on a disk."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from syncd.core.errors import Damaged, SnapshotError
from syncd.core.snapshots.records import Entry
from syncd.snapshots.reading import entries, file_hash, find, verify
from tests.support.consul import ConsulAgent
from tests.support.snapshots import archive, control, kv, snapshot, state

MANY = [kv(f"app/{number:05}", os.urandom(60)) for number in range(8000)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.snap"
    path.write_bytes(snapshot(*MANY, kv("z", b"last"), control("app", "c0ffee1" * 5)))
    return path


@pytest.mark.consul
def test_a_real_consul_s_snapshot_is_read_to_its_end(consul: ConsulAgent, prefix: str, tmp_path: Path) -> None:
    consul.put(f"{prefix}/a", b"\xff\x00", flags=7)
    consul.put(f"{prefix}/b", "")
    session = consul.make_session()
    assert consul.request("PUT", f"/v1/kv/{prefix}/lock?acquire={session}")[2].strip() == b"true"
    path = tmp_path / "real.snap"
    path.write_bytes(consul.request("GET", "/v1/snapshot")[2])
    found = verify(path, prefix)
    assert found.contents.nodes == 1
    assert found.contents.keys >= 3
    assert found.contents.kinds["Session"].count >= 1
    assert (found.contents.datacenter, found.contents.unknown) == ("dc1", ())
    assert (found.size, found.sha256) == (path.stat().st_size, sha256(path.read_bytes()).hexdigest())
    a, b, lock = entries(path, f"{prefix}/")
    told = consul.entry(a.key)
    assert told
    assert (a.value, a.flags, a.create_index) == (b"\xff\x00", 7, told["CreateIndex"])
    assert (b.value, lock.session) == (b"", session)
    consul.destroy_session(session)


def test_it_is_proved_and_counted(file: Path) -> None:
    found = verify(file, "app")
    assert (found.contents.keys, found.contents.commit) == (8002, "c0ffee1" * 5)
    assert found.sha256 == file_hash(file)


def test_one_key_is_found(file: Path) -> None:
    for proved in (True, False):
        assert find(file, "z", proved=proved) == Entry("z", b"last", 0, 5, 7)
        assert find(file, "app/00003", proved=proved)
        assert find(file, "gone", proved=proved) is None


def test_a_key_of_a_file_that_is_not_proved_is_told_only_if_all_of_it_is_sound(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Damaged, match="cut off"):
        find(file, "app/00003", proved=False)


def test_keys_are_chosen_by_what_they_begin_with(file: Path) -> None:
    assert [entry.key for entry in entries(file, "app/0000")] == [f"app/0000{digit}" for digit in range(10)]
    assert len(entries(file)) == 8002


def test_damage_is_told_with_the_file_and_what_to_do(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for read in (lambda path: verify(path, ""), entries):
        with pytest.raises(Damaged) as raised:
            read(file)
        assert raised.value.where == str(file)
        assert "syncd snapshot verify" in raised.value.hint


def test_a_state_that_stops_inside_a_record_is_damage_though_all_sums_are_right(tmp_path: Path) -> None:
    file = tmp_path / "short.snap"
    file.write_bytes(archive(state([kv("a")])[:-1]))
    with pytest.raises(Damaged, match="in the middle of a record"):
        verify(file, "")


@pytest.mark.parametrize("read", [lambda path: verify(path, ""), file_hash, entries])
def test_what_is_no_file_is_said_to_be_none(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SnapshotError, match="not a file"):
        read(tmp_path / "fifo")
    with pytest.raises(SnapshotError, match="No such file"):
        read(tmp_path / "gone")
    with pytest.raises(SnapshotError, match="Is a directory"):
        read(tmp_path)
