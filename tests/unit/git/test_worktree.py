"""The files on disk, with edits that are not committed."""

import os
import time
from pathlib import Path

import pytest

from syncd.core.errors import GitBusy, GitError
from syncd.core.problems import TreeError
from syncd.core.tree import MAX_FILE_BYTES, TreeEntry
from syncd.git.source import Source
from syncd.git.worktree import Worktree
from tests.support.repository import TREE, Repository
from tests.support.sources import Open, values


async def problems(source: Source) -> set[str]:
    with pytest.raises(TreeError) as caught:
        await source.read_worktree()
    return {problem.path for problem in caught.value.problems}


async def test_without_edits_the_work_tree_is_the_commit(source: Source) -> None:
    assert await source.read_worktree() is await source.read()
    assert await source.uncommitted() == ()


async def test_edits_are_named_and_read(repository: Repository, source: Source) -> None:
    head = await source.read()
    repository.write({"tts.yaml": "voice: edited\n", "new.yaml": "x: 1\n", "wake_word.yaml": None})
    assert await source.uncommitted() == ("new.yaml", "tts.yaml", "wake_word.yaml")
    revision = await source.read_worktree()
    assert revision.commit.worktree
    assert revision.commit.short == head.commit.id[:7] + "+"
    assert (revision.since, revision.changed) == (
        head.commit.id,
        frozenset({"tts/voice", "new/x", "wake_word/sensitivity"}),
    )
    assert values(revision)["tts/voice"] == "edited"
    assert await source.read_worktree() is revision
    repository.commit()
    assert await source.uncommitted() == ()
    assert not (await source.read_worktree()).commit.worktree


async def test_an_edit_of_equal_length_at_once_is_seen(repository: Repository, source: Source) -> None:
    for n in range(20):
        repository.write({"tts.yaml": f"voice: {n:03d}\n"})
        assert values(await source.read_worktree())["tts/voice"] == f"{n:03d}"


async def test_unchanged_files_are_not_read_again(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.time_ns() - 10_000_000_000
    for path in repository.tree.iterdir():
        os.utime(path, ns=(long_ago, long_ago))
    monkeypatch.setattr("syncd.git.worktree._SETTLED", 0)
    await source.uncommitted()
    monkeypatch.setattr(Worktree, "_read_file", lambda *_: pytest.fail("read again"))
    assert await source.uncommitted() == ()


async def test_what_does_not_count_is_no_edit(repository: Repository, source: Source) -> None:
    repository.commit({".syncdignore": "*.bak\n"})
    head = await source.read()
    repository.write({"notes.md": "x", ".hidden": "x", "tts.bak": "x"})
    (repository.folder / "beside.yaml").write_text("x: 1\n")
    assert await source.uncommitted() == ()
    assert await source.read_worktree() is head


async def test_a_file_that_git_ignores_is_no_edit(repository: Repository, source: Source) -> None:
    (repository.folder / ".gitignore").write_text("*.local.yaml\n")
    repository.write({"x.local.yaml": "a: 1\n"})
    assert await source.uncommitted() == ()
    assert "x.local/a" not in values(await source.read_worktree())


async def test_edited_rules_are_an_edit_and_rule(repository: Repository, source: Source) -> None:
    repository.write({".syncdignore": "tts.yaml\n"})
    assert await source.uncommitted() == (".syncdignore",)
    revision = await source.read_worktree()
    assert (revision.since, revision.changed) == (None, None)
    assert "tts/voice" not in values(revision)


async def test_converted_line_ends_are_no_edit(repository: Repository, source: Source) -> None:
    repository.write({"tts.yaml": b"voice: pt_BR-faber-medium\r\n"})
    assert await source.uncommitted() == ()


async def test_edits_may_mend_an_invalid_commit(repository: Repository, source: Source) -> None:
    bad = repository.commit({"tts.yaml": "voice: [\n"})
    assert await problems(source) == {"tts.yaml"}
    repository.write({"tts.yaml": "voice: mended\n"})
    revision = await source.read_worktree()
    assert (revision.commit.id, revision.commit.worktree, revision.since) == (bad, True, None)
    assert values(revision)["tts/voice"] == "mended"
    assert await source.uncommitted() == ("tts.yaml",)


async def test_a_tree_that_was_never_committed_is_read(repository: Repository, open_source: Open) -> None:
    (repository.folder / "other").mkdir()
    (repository.folder / "other" / "a.yaml").write_text("x: 1\n")
    source = await open_source(repository.folder, path="other")
    assert await source.uncommitted() == ("a.yaml",)
    assert values(await source.read_worktree()) == {"a/x": "1"}


async def test_an_absent_folder_is_never_an_empty_tree(repository: Repository, source: Source) -> None:
    repository.tree.rename(repository.folder / "moved")
    with pytest.raises(GitError, match="no such folder"):
        await source.read_worktree()
    with pytest.raises(GitError, match="no such folder"):
        await source.uncommitted()


async def test_links_pipes_and_nested_repositories_are_refused_and_never_opened(
    repository: Repository, source: Source
) -> None:
    (repository.tree / "link.yaml").symlink_to("/dev/zero")
    repository.git("init", "-q", "config/mordomo/nested")
    (repository.tree / "nested" / "x").write_text("x")
    (repository.tree / "tts.yaml").unlink()
    os.mkfifo(repository.tree / "tts.yaml")
    assert await problems(source) == {"link.yaml", "nested", "tts.yaml"}
    assert await source.uncommitted() == ("link.yaml", "nested", "tts.yaml")


async def test_nothing_is_read_through_a_folder_that_became_a_link(
    repository: Repository, source: Source, tmp_path: Path
) -> None:
    repository.commit({"sub/a.yaml": "x: 1\n"})
    (repository.tree / "sub").rename(tmp_path / "outside")
    (repository.tree / "sub").symlink_to(tmp_path / "outside")
    assert await problems(source) == {"sub"}


async def test_a_submodule_is_no_edit_of_itself(repository: Repository, source: Source) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{await source.tip()},{TREE}/sub")
    repository.git("commit", "-qm", "x")
    (repository.tree / "sub").mkdir()
    assert await source.uncommitted() == ()


async def test_a_file_over_the_limit_is_refused_unread(repository: Repository, source: Source) -> None:
    with (repository.tree / "huge.yaml").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert await problems(source) == {"huge.yaml"}


async def test_an_unreadable_file_is_an_error_and_never_absent(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read anything, so the system's answer is given here.
    opened = os.open

    def refuse(path: bytes, flags: int, *rest: int) -> int:
        if isinstance(path, bytes) and path.endswith(b"/tts.yaml"):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *rest)

    repository.write({"tts.yaml": "voice: x\n"})
    monkeypatch.setattr("syncd.git.worktree.os.open", refuse)
    with pytest.raises(GitError, match=r"tts\.yaml: cannot be read: Permission denied"):
        await source.uncommitted()


async def test_an_unreadable_folder_is_an_error_and_never_absent(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: bytes) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("syncd.git.worktree.os.lstat", refuse)
    with pytest.raises(GitError, match="cannot be read"):
        await source.uncommitted()


async def test_a_file_that_vanishes_while_it_is_looked_at_is_gone(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worktree, "_read_file", lambda *_: None)
    assert await source.uncommitted() == ("brain.yaml", "tts.yaml", "wake_word.yaml")


async def test_a_file_that_never_rests_is_busy_and_one_that_comes_to_rest_is_read(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write({"tts.yaml": "voice: 0\n"})
    scan, edits = Worktree.scan, iter(range(1, 6))

    async def scan_and_edit(worktree: Worktree) -> object:
        seen = await scan(worktree)
        edit = next(edits, None)
        if edit is not None:
            repository.write({"tts.yaml": f"voice: {edit}\n"})
        return seen

    monkeypatch.setattr(Worktree, "scan", scan_and_edit)
    with pytest.raises(GitBusy, match="changes while"):
        await source.read_worktree()
    assert values(await source.read_worktree())["tts/voice"] == "5"


async def test_another_branch_checked_out_has_no_edits_of_ours(repository: Repository, source: Source) -> None:
    repository.git("checkout", "-q", "-b", "other")
    repository.write({"tts.yaml": "voice: other\n"})
    assert await source.uncommitted() == ()
    assert (await source.read_worktree()).commit.ref == "other"
    repository.git("checkout", "-q", "--detach")
    assert (await source.read_worktree()).commit.ref == ""


async def test_an_unreadable_head_says_so(repository: Repository, source: Source) -> None:
    (repository.folder / ".git" / "HEAD").unlink()
    with pytest.raises(GitError, match="HEAD cannot be read"):
        await source.uncommitted()


@pytest.mark.parametrize("name", [b"pipe", b"link", b"gone"])
async def test_what_took_a_file_s_place_is_neither_waited_for_nor_followed(
    repository: Repository, source: Source, name: bytes
) -> None:
    os.mkfifo(repository.tree / "pipe")
    (repository.tree / "link").symlink_to("tts.yaml")
    contents = source._worktree.read([TreeEntry(name, "file", "0" * 40, 0)])
    with pytest.raises(GitBusy):
        await anext(contents)
