"""``syncd validate``."""

import json
from pathlib import Path

from tests.support.repository import SEED, Repository
from tests.unit.cli.conftest import Syncd


def test_a_valid_tree_is_counted(syncd: Syncd, repository: Repository) -> None:
    commit = repository.commit(SEED)
    ended = syncd("validate")
    assert (ended.code, ended.out, ended.err) == (0, f"4 keys in 3 files at {commit[:7]}: valid\n", "")


def test_json_says_what_was_checked(syncd: Syncd, repository: Repository) -> None:
    commit = repository.commit(SEED)
    told = json.loads(syncd("validate", "--output", "json").out)
    assert told == {"valid": True, "commit": commit, "keys": 4, "files": 3, "problems": []}


def test_every_problem_is_shown_and_exits_with_65(syncd: Syncd, repository: Repository) -> None:
    repository.commit({"brain.yaml": "model: [\n", "tts.yaml": "a: 1\na: 2\n"})
    ended = syncd("validate")
    assert (ended.code, ended.out) == (65, "")
    assert "  at config/mordomo/brain.yaml:" in ended.err
    assert "  at config/mordomo/tts.yaml:2:1\n  2 | a: 2\n    | ^\n" in ended.err
    assert ended.err.splitlines()[-1].endswith("is invalid: 2 problems")


def test_json_tells_every_problem_on_standard_output(syncd: Syncd, repository: Repository) -> None:
    commit = repository.commit({"tts.yaml": "a: 1\na: 2\n"})
    ended = syncd("validate", "--output", "json")
    assert (ended.code, ended.err) == (65, "")
    told = json.loads(ended.out)
    assert (told["valid"], told["commit"]) == (False, commit)
    (problem,) = told["problems"]
    assert (problem["severity"], problem["path"], problem["line"]) == ("error", "config/mordomo/tts.yaml", 2)


def test_warnings_are_told_and_exit_with_0(syncd: Syncd, repository: Repository) -> None:
    repository.commit({"brain.yaml": "model:\n"})
    ended = syncd("validate")
    assert ended.code == 0
    assert ended.err.startswith("warning: ")
    assert "  at config/mordomo/brain.yaml:1:" in ended.err
    assert ended.out.endswith(": valid\n")
    told = json.loads(syncd("validate", "--output", "json").out)
    assert [problem["severity"] for problem in told["problems"]] == ["warning"]
    assert told["valid"] is True


def test_the_tip_is_checked_unless_the_work_tree_is_asked_for(syncd: Syncd, repository: Repository) -> None:
    repository.commit(SEED)
    repository.write({"tts.yaml": "a: 1\na: 2\n"})
    assert syncd("validate").code == 0
    assert syncd("validate", "--worktree").code == 65
    repository.write({"tts.yaml": "a: 1\nb: 2\n"})
    assert syncd("validate", "--worktree").out == "5 keys in 3 files of the work tree: valid\n"


def test_an_older_commit_can_be_checked(syncd: Syncd, repository: Repository) -> None:
    repository.commit({"tts.yaml": "a: 1\na: 2\n"})
    repository.commit(SEED)
    assert (syncd("validate").code, syncd("validate", "--at", "HEAD~1").code) == (0, 65)


def test_a_commit_and_the_work_tree_exclude_each_other(syncd: Syncd, repository: Repository) -> None:
    repository.commit(SEED)
    ended = syncd("validate", "--at", "HEAD", "--worktree")
    assert ended.code == 64
    assert ended.err.startswith("error: --at and --worktree exclude each other")


def test_a_setting_for_the_work_tree_gives_way_to_a_commit(
    syncd: Syncd, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit(SEED)
    (tmp_path / "syncd.toml").write_text("[source]\nworktree = true\n")
    repository.write({"tts.yaml": "a: 1\nb: 2\n"})
    assert syncd("validate", "--at", commit[:10]).out.endswith(f"at {commit[:7]}: valid\n")
    assert syncd("validate").out.endswith("of the work tree: valid\n")


def test_another_repository_and_path_can_be_named(syncd: Syncd, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.commit(SEED)
    ended = syncd("validate", "--repo", "other", "--path", "config", "--prefix", "p")
    assert (ended.code, ended.out.startswith("4 keys in 3 files")) == (0, True)


def test_a_folder_that_is_no_repository_is_told(syncd: Syncd, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = syncd("validate", "--repo", "empty")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: ")
    assert "  hint: " in ended.err
