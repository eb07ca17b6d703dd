"""The directory of snapshots."""

import os
from pathlib import Path

import pytest

from syncd.core.errors import Busy, SnapshotError
from syncd.snapshots.folder import Folder
from tests.support.snapshots import kv, snapshot
from tests.unit.snapshots.conftest import Put


def test_a_directory_that_is_not_there_is_empty(folder: Folder) -> None:
    assert folder.snapshots() == []
    assert not folder.path.exists()


def test_they_are_listed_the_oldest_first(folder: Folder, put: Put) -> None:
    newer, older = put(taken=200), put(taken=100)
    foreign = folder.path / "theirs.snap"
    foreign.write_bytes(b"x")
    os.utime(foreign, (150, 150))
    found = folder.snapshots()
    assert [each.path for each in found] == [older.path, foreign, newer.path]
    assert [each.manifest is None for each in found] == [False, True, False]


def test_only_files_are_listed(folder: Folder, put: Put) -> None:
    taken = put()
    (folder.path / "link.snap").symlink_to(taken.path)
    (folder.path / "folder.snap").mkdir()
    (folder.path / "notes.txt").write_text("")
    assert [each.name for each in folder.snapshots()] == [taken.path.name]


def test_a_manifest_that_is_not_the_file_s_does_not_count(folder: Folder, put: Put) -> None:
    taken = put()
    copy = folder.path / "copy.snap"
    copy.write_bytes(taken.path.read_bytes())
    (folder.path / "copy.snap.json").write_bytes((folder.path / f"{taken.path.name}.json").read_bytes())
    odd = folder.path / "odd.snap"
    odd.write_bytes(b"x")
    (folder.path / "odd.snap.json").write_text("{")
    taken.path.write_bytes(taken.path.read_bytes()[:-1])
    faults = {each.name: each.fault for each in folder.snapshots() if each.manifest is None}
    assert faults["copy.snap"] == f"its manifest is that of {taken.path.name}"
    assert "bytes; " in faults[taken.path.name]
    assert "damaged" in faults["odd.snap"]


def test_two_cannot_write_at_once_and_the_second_is_told_who_does(folder: Folder) -> None:
    with folder.locked(), pytest.raises(Busy, match=f"process {os.getpid()} on ") as raised, folder.locked():
        pass
    assert raised.value.exit_code == 75
    with folder.locked():
        pass


def test_what_somebody_left_unfinished_is_cleared_and_nothing_else(folder: Folder, put: Put) -> None:
    taken = put()
    kept = {taken.path.name, f"{taken.path.name}.json", ".syncd-lock", "theirs.snap.json", "a.json"}
    (folder.path / ".syncd-taking-1a2b3c4d").write_bytes(b"half")
    gone = put()
    gone.path.unlink()
    (folder.path / "theirs.snap.json").write_text('{"format": "theirs"}')
    (folder.path / "a.json").write_text("{}")
    with folder.locked():
        assert {entry.name for entry in folder.path.iterdir()} == kept


def test_a_file_is_found_by_its_path_or_its_name(folder: Folder, put: Put, tmp_path: Path) -> None:
    taken = put()
    assert folder.find(taken.path.name) == taken.path
    assert folder.find(str(taken.path)) == taken.path
    assert folder.find("gone.snap") == Path("gone.snap")


def test_a_pin_holds_until_it_is_taken_away(folder: Folder, put: Put) -> None:
    taken = put()
    folder.pin(taken.path)
    folder.pin(taken.path)
    assert folder.snapshots()[0].pinned
    folder.unpin(taken.path)
    folder.unpin(taken.path)
    assert not folder.snapshots()[0].pinned


def test_only_snapshots_of_the_directory_can_be_pinned(folder: Folder, put: Put, tmp_path: Path) -> None:
    put()
    outside = tmp_path / "theirs.snap"
    outside.write_bytes(snapshot(kv("a")))
    for path in (outside, folder.path / "gone.snap", folder.path / ".syncd-lock"):
        with pytest.raises(SnapshotError, match="there is no snapshot"):
            folder.pin(path)
