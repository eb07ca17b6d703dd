"""Where state is kept when nobody says."""

from pathlib import Path

import pytest

from syncd.core.errors import SettingsError
from syncd.settings import load


def state(tmp_path: Path, repository: Path | str = "repo", prefix: str = "config", **variables: str) -> Path:
    flags = {"source.repository": str(repository), "store.prefix": prefix}
    return load(flags, variables, tmp_path, system=tmp_path).state_directory


def test_systemd_chooses_first(tmp_path: Path) -> None:
    assert state(tmp_path, STATE_DIRECTORY="/var/lib/syncd:/var/lib/x", HOME="/h") == Path("/var/lib/syncd")


def test_else_the_xdg_folder_with_a_readable_name(tmp_path: Path) -> None:
    folder = state(tmp_path, XDG_STATE_HOME="/xdg")
    assert folder.parent == Path("/xdg/syncd")
    assert folder.name.startswith("repo-config-")


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path) -> None:
    assert state(tmp_path, XDG_STATE_HOME="xdg", HOME="/h").parent == Path("/h/.local/state/syncd")


def test_each_repository_and_prefix_has_its_own(tmp_path: Path) -> None:
    folders = {
        state(tmp_path, repository, prefix, HOME="/h") for repository in ("a/repo", "b/repo") for prefix in ("p", "q")
    }
    assert len(folders) == 4


def test_every_folder_of_a_repository_shares_one(tmp_path: Path) -> None:
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/config").mkdir()
    (tmp_path / "link").symlink_to("repo")
    assert len({state(tmp_path, path, HOME="/h") for path in ("repo", "repo/config", "link")}) == 1


def test_a_loop_of_links_is_left_to_the_git_room(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert state(tmp_path, "loop", HOME="/h").name.startswith("loop-config-")


def test_an_odd_name_stays_one_folder(tmp_path: Path) -> None:
    assert state(tmp_path, "/", "", HOME="/h").parent == Path("/h/.local/state/syncd")


def test_without_a_home_it_asks(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="state_directory: cannot be chosen"):
        state(tmp_path)
