"""Writing files for people."""

import stat
from pathlib import Path

import pytest

from syncd.cli.files import add_files, write_private
from syncd.core.errors import SyncdError


def test_a_private_file_is_for_its_owner_alone_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    write_private(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SyncdError, match="cannot be written: No such file"):
        write_private(tmp_path / "missing" / "plan.json", b"")


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "plan.json" / "inside").mkdir(parents=True)
    with pytest.raises(SyncdError, match="cannot be written"):
        write_private(tmp_path / "plan.json", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_new_files_are_added_in_new_folders(tmp_path: Path) -> None:
    add_files(tmp_path / "a" / "b", {"x.yaml": b"1", "c/y": b"2"})
    assert (tmp_path / "a/b/x.yaml").read_bytes() == b"1"
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["c", "x.yaml"]


def test_a_link_that_leads_nowhere_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").symlink_to("nowhere")
    with pytest.raises(SyncdError, match="1 file is there already"):
        add_files(tmp_path, {"x.yaml": b"1", "y.yaml": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]


def test_a_file_that_cannot_be_put_into_place_takes_the_others_back(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file where a folder is needed")
    with pytest.raises(SyncdError, match="cannot be written"):
        add_files(tmp_path, {"x.yaml": b"1", "c/y": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
