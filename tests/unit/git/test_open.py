"""Finding a repository, and refusing with advice what cannot be followed."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.core.errors import GitError
from syncd.git.process import Git
from tests.support.repository import TREE, Repository
from tests.support.sources import Open, values
from tests.support.waiting import until

SEED_VALUES = {
    "brain/model": "qwen2.5:3b",
    "brain/temperature": "0.7",
    "tts/voice": "pt_BR-faber-medium",
    "wake_word/sensitivity": "0.7",
}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as nobody where the tests run as root, whom no permission stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_work_tree_is_read_at_the_branch_checked_out(repository: Repository, open_source: Open) -> None:
    source = await open_source(repository.folder)
    assert (source.branch, source.repository, source.bare) == ("main", repository.folder, False)
    assert values(await source.read()) == SEED_VALUES


async def test_a_folder_inside_a_work_tree_finds_its_root(repository: Repository, open_source: Open) -> None:
    source = await open_source(repository.tree)
    assert source.repository == repository.folder
    assert values(await source.read()) == SEED_VALUES


async def test_a_git_directory_finds_its_work_tree(repository: Repository, open_source: Open) -> None:
    source = await open_source(repository.folder / ".git")
    assert source.repository == repository.folder


async def test_a_bare_repository_is_read(repository: Repository, open_source: Open, tmp_path: Path) -> None:
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    source = await open_source(tmp_path / "bare.git")
    assert source.bare
    assert values(await source.read()) == SEED_VALUES
    assert await source.uncommitted() == ()
    with pytest.raises(GitError, match="bare"):
        await source.read_worktree()


async def test_a_linked_work_tree_follows_its_own_branch(
    repository: Repository, open_source: Open, tmp_path: Path
) -> None:
    repository.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    source = await open_source(tmp_path / "linked")
    assert source.branch == "other"
    assert values(await source.read()) == SEED_VALUES
    (tmp_path / "linked" / TREE / "tts.yaml").write_text("voice: other\n")
    assert await source.uncommitted() == ("tts.yaml",)


async def test_a_repository_with_sha256_names_is_read(open_source: Open, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "first")
    shutil.rmtree(repository.folder / ".git")
    repository.git("init", "-q", "-b", "main", "--object-format=sha256")
    first = repository.commit({"a.yaml": "x: 1\n"})
    source = await open_source(repository.folder)
    assert len((await source.read()).commit.id) == 64
    second = repository.commit({"a.yaml": "x: 2\n"})
    assert (await source.read()).changed == frozenset({"a/x"})
    assert await source.relation(first, second) == "descendant"
    assert await source.uncommitted() == ()


async def test_a_named_branch_is_followed_though_another_is_checked_out(
    repository: Repository, open_source: Open
) -> None:
    repository.git("checkout", "-q", "-b", "feature/x")
    repository.commit({"tts.yaml": "voice: feature\n"})
    assert values(await (await open_source(repository.folder, branch="main")).read()) == SEED_VALUES
    feature = await open_source(repository.folder, branch="refs/heads/feature/x")
    assert feature.branch == "feature/x"
    assert values(await feature.read())["tts/voice"] == "feature"


async def test_the_whole_repository_may_be_the_tree(repository: Repository, open_source: Open) -> None:
    source = await open_source(repository.folder, path=".")
    assert values(await source.read()) == {f"{TREE}/{key}": value for key, value in SEED_VALUES.items()}
    repository.commit({"tts.yaml": "voice: x\n"})
    assert (await source.read()).changed == frozenset({f"{TREE}/tts/voice"})
    repository.write({"tts.yaml": "voice: y\n"})
    assert await source.uncommitted() == (f"{TREE}/tts.yaml",)
    blamed = await source.blame(f"{TREE}/brain.yaml", 1, "HEAD")
    assert blamed is not None


async def test_a_detached_head_asks_for_a_branch(repository: Repository, open_source: Open) -> None:
    repository.git("checkout", "-q", "--detach")
    with pytest.raises(GitError, match="detached") as caught:
        await open_source(repository.folder)
    assert "--branch" in caught.value.hint


async def test_an_unborn_branch_asks_for_a_commit(open_source: Open, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "empty")
    with pytest.raises(GitError, match="branch main has no commit yet") as caught:
        await open_source(repository.folder)
    assert caught.value.hint == "make a first commit"


@pytest.mark.parametrize("name", ["none", "main~0", "main^{commit}", "-x", "a..b", "a b", "main\n", ""])
async def test_a_branch_that_is_none_is_refused(repository: Repository, open_source: Open, name: str) -> None:
    if name == "":
        repository.git("symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(GitError, match="has no commit yet" if name == "" else "there is no branch"):
        await open_source(repository.folder, branch=name)


async def test_a_misspelt_branch_is_told_which_there_are(repository: Repository, open_source: Open) -> None:
    repository.git("branch", "release")
    with pytest.raises(GitError, match="there is no branch 'mian'") as caught:
        await open_source(repository.folder, branch="mian")
    assert caught.value.hint == "did you mean main? there are: main, release"


async def test_a_folder_outside_any_repository_says_so(open_source: Open, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not in a git repository") as caught:
        await open_source(tmp_path)
    assert "git init" in caught.value.hint


async def test_a_folder_that_is_not_there_says_so(open_source: Open, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="No such file"):
        await open_source(tmp_path / "nothing")


async def test_a_broken_git_directory_says_what_git_says(open_source: Open, tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(GitError, match="not a git repository"):
        await open_source(tmp_path)


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../../b", "a\0b"])
async def test_a_path_outside_the_repository_is_refused(repository: Repository, open_source: Open, path: str) -> None:
    with pytest.raises(GitError, match="not a folder inside"):
        await open_source(repository.folder, path=path)


@pytest.mark.parametrize("path", ["nowhere", f"{TREE}/tts.yaml", f"{TREE}/tts.yaml/x"])
async def test_an_absent_folder_is_never_an_empty_tree(repository: Repository, open_source: Open, path: str) -> None:
    source = await open_source(repository.folder, path=path)
    with pytest.raises(GitError, match=f"no folder {path}") as caught:
        await source.read()
    assert "--path" in caught.value.hint


@pytest.mark.parametrize("name", ["tree\r", "tree ", "tree\nmissing", "tree:x", "tr{e}e", "träet"])
async def test_a_folder_of_an_odd_name_is_never_taken_for_another(
    repository: Repository, open_source: Open, name: str
) -> None:
    for folder in ("tree", name):
        (repository.folder / folder).mkdir()
        (repository.folder / folder / "a.yaml").write_text(f"x: {len(folder)}\n")
    repository.commit()
    source = await open_source(repository.folder, path=name)
    assert values(await source.read()) == {"a/x": str(len(name))}


async def test_a_missing_git_says_so(repository: Repository) -> None:
    git = Git(repository.folder, {"PATH": "/nowhere"})
    with pytest.raises(GitError, match="git is not installed"):
        await git.run("version")


async def test_a_folder_that_vanished_is_told_from_a_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git cannot run in the repository: No such file"):
        await Git(tmp_path / "gone").run("version")


async def test_a_reftable_is_refused_with_the_way_out(repository: Repository, open_source: Open) -> None:
    (repository.folder / ".git" / "reftable").mkdir()
    with pytest.raises(GitError, match="reftable"):
        await open_source(repository.folder)


async def test_an_unreadable_repository_says_so(repository: Repository, open_source: Open) -> None:
    repository.folder.chmod(0)
    try:
        with unprivileged(), pytest.raises(GitError, match="Permission denied"):
            await open_source(repository.folder)
    finally:
        repository.folder.chmod(0o755)


async def test_variables_of_a_hook_do_not_lead_git_elsewhere(
    repository: Repository, open_source: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    source = await open_source(repository.folder)
    assert values(await source.read()) == SEED_VALUES


async def test_a_cancelled_command_is_killed(repository: Repository, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    task = asyncio.create_task(Git(repository.folder).run("hash-object", str(pipe)))
    writer = -1

    async def git_waits() -> bool:
        nonlocal writer
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            return False
        return True

    async def is_read() -> bool:
        inner: object = task.get_coro()
        names = []
        while inner is not None:
            names.append(getattr(inner, "__name__", ""))
            inner = getattr(inner, "cr_await", None)
        return "communicate" in names

    await until(git_waits, "git waits for the pipe")
    await until(is_read, "its output is waited for")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(writer)


async def test_a_command_that_must_succeed_says_what_git_said(repository: Repository) -> None:
    with pytest.raises(GitError, match="Not a valid object name"):
        await Git(repository.folder).ask("cat-file", "-p", "nothing")
