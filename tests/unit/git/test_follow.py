"""Being told of every possible change."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from syncd.core.errors import GitError
from syncd.git import follow
from syncd.git.source import Source
from tests.support.repository import Repository
from tests.support.sources import Open
from tests.support.waiting import LIMIT, until

NEVER = 3600.0


class Told:
    """Collects what a follower was told, from the reader's side."""

    def __init__(self, source: Source, *, every: float = NEVER, worktree: bool = False) -> None:
        self.source = source
        self.changes = source.follow(every=every, worktree=worktree)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for notices until a condition holds, looking only when told."""
        async with asyncio.timeout(LIMIT):
            while not holds():
                await anext(self.changes)

    async def until_tip(self, commit: str) -> None:
        async with asyncio.timeout(LIMIT):
            while await self.source.tip() != commit:
                await anext(self.changes)

    async def trouble(self) -> GitError | None:
        """Return what keeps the tip from being read."""
        try:
            await self.source.tip()
        except GitError as error:
            return error
        return None


@asynccontextmanager
async def following(source: Source, *, every: float = NEVER, worktree: bool = False) -> AsyncIterator[Told]:
    told = Told(source, every=every, worktree=worktree)
    await anext(told.changes)
    try:
        yield told
    finally:
        await told.changes.aclose()


async def test_a_commit_is_told(repository: Repository, source: Source) -> None:
    async with following(source) as told:
        for n in range(3):
            await told.until_tip(repository.commit({"tts.yaml": f"voice: {n}\n"}))


async def test_a_push_to_a_bare_repository_is_told(repository: Repository, open_source: Open, tmp_path: Path) -> None:
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    source = await open_source(tmp_path / "bare.git")
    async with following(source) as told:
        commit = repository.commit({"tts.yaml": "voice: x\n"})
        repository.git("push", "-q", str(tmp_path / "bare.git"), "main")
        await told.until_tip(commit)


async def test_a_commit_in_a_linked_work_tree_is_told(
    repository: Repository, open_source: Open, tmp_path: Path
) -> None:
    repository.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    source = await open_source(tmp_path / "linked")
    async with following(source) as told:
        commit = repository.git("commit-tree", "-p", "main", "-m", "x", "main^{tree}")
        repository.git("update-ref", "refs/heads/other", commit)
        await told.until_tip(commit)


async def test_packed_refs_are_followed(repository: Repository, source: Source) -> None:
    async with following(source) as told:
        await told.until_tip(repository.commit({"tts.yaml": "voice: 1\n"}))
        repository.git("pack-refs", "--all")
        await told.until_tip(repository.commit({"tts.yaml": "voice: 2\n"}))
        repository.git("gc", "-q", "--prune=now")
        await told.until_tip(repository.commit({"tts.yaml": "voice: 3\n"}))
        # The branch moves in packed-refs alone, as a fetch of many refs may leave it.
        moved = repository.commit({"tts.yaml": "voice: 4\n"})
        repository.git("pack-refs", "--all")
        assert not (repository.folder / ".git/refs/heads/main").exists()
        await told.until_tip(moved)


async def test_refs_are_followed_by_watchfiles_where_there_is_no_inotify(
    repository: Repository, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.git.inotify.available", lambda: False)
    repository.git("checkout", "-q", "-b", "feature/x")
    source = await open_source(repository.folder)
    async with following(source) as told:
        for n in range(2):
            repository.git("pack-refs", "--all", "--prune")
            await told.until_tip(repository.commit({"tts.yaml": f"voice: {n}\n"}))


async def test_a_branch_in_a_folder_that_comes_and_goes_is_followed(repository: Repository, open_source: Open) -> None:
    repository.git("checkout", "-q", "-b", "feature/deep/x")
    source = await open_source(repository.folder)
    folder = repository.folder / ".git/refs/heads/feature"
    async with following(source) as told:
        for n in range(3):
            repository.git("pack-refs", "--all", "--prune")
            await told.until(lambda: not folder.exists())
            await told.until_tip(repository.commit({"tts.yaml": f"voice: {n}\n"}))


async def test_a_branch_deleted_and_made_again_is_told(repository: Repository, source: Source) -> None:
    async with following(source) as told:
        first = await source.tip()
        repository.git("checkout", "-q", "--detach")
        repository.git("branch", "-qD", "main")
        await anext(told.changes)
        with pytest.raises(GitError, match="branch main is gone"):
            await source.tip()
        repository.git("branch", "main", first)
        await anext(told.changes)
        assert await source.tip() == first


async def test_an_edit_on_disk_is_told_and_then_named(repository: Repository, source: Source) -> None:
    async with following(source) as told:
        repository.write({"new/deep.yaml": "x: 1\n"})
        async with asyncio.timeout(LIMIT):
            while await source.uncommitted() != ("new/deep.yaml",):
                await anext(told.changes)


async def test_changes_while_the_reader_is_busy_are_told_once(repository: Repository, source: Source) -> None:
    async with following(source) as told:
        commits = [repository.commit({"tts.yaml": f"voice: {n}\n"}) for n in range(5)]
        notices = 0
        while await source.tip() != commits[-1]:
            await anext(told.changes)
            notices += 1
        assert notices <= 1


async def test_a_look_every_while_stands_in_for_notifications(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr("watchfiles.main.RustNotify", refuse)
    monkeypatch.setattr("syncd.git.inotify.available", lambda: False)
    async with following(source, every=0.02) as told:
        commit = repository.commit({"tts.yaml": "voice: x\n"})
        await anext(told.changes)
        assert await source.tip() == commit
        for _ in range(3):  # it goes on, however long notifications fail
            await anext(told.changes)


async def test_a_branch_that_goes_and_comes_is_told_without_notifications(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = follow.Watch(tuple, lambda _: True, recursive=False, debounce=10, step=2)
    monkeypatch.setattr("syncd.git.source.watch_refs", lambda *_: nothing)
    monkeypatch.setattr("syncd.git.source.watch_files", lambda *_: nothing)
    commit = await source.tip()
    async with following(source, every=0.02) as told:
        repository.git("checkout", "-q", "--detach")
        repository.git("branch", "-qD", "main")
        await anext(told.changes)
        assert await told.trouble() is not None
        repository.git("branch", "main", commit)
        await anext(told.changes)
        assert await told.trouble() is None


async def test_a_look_at_the_files_stands_in_for_notifications(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.git.source.watch_files", lambda root: follow.watch_refs(source._facts, "none"))
    async with following(source, every=0.02, worktree=True) as told:
        repository.write({"tts.yaml": "voice: x\n"})
        await anext(told.changes)
        assert await source.uncommitted() == ("tts.yaml",)
        shutil.rmtree(repository.tree)
        await anext(told.changes)
        with pytest.raises(GitError):
            await source.read_worktree()


async def test_a_tree_that_comes_later_is_watched_then(repository: Repository, open_source: Open) -> None:
    source = await open_source(repository.folder, path="later")
    async with following(source, every=0.02) as told:
        (repository.folder / "later").mkdir()
        (repository.folder / "later" / "a.yaml").write_text("x: 1\n")
        for name in ("b.yaml", "c.yaml"):
            await anext(told.changes)
            (repository.folder / "later" / name).write_text("x: 1\n")
        async with asyncio.timeout(LIMIT):
            while await source.uncommitted() != ("a.yaml", "b.yaml", "c.yaml"):
                await anext(told.changes)


async def test_a_repository_replaced_by_another_in_its_place_is_followed(
    repository: Repository, source: Source, tmp_path: Path
) -> None:
    shutil.copytree(repository.folder, tmp_path / "copy", symlinks=True)
    copy = Repository.__new__(Repository)
    copy.folder = tmp_path / "copy"
    commit = copy.commit({"tts.yaml": "voice: copy\n"})
    async with following(source, every=0.05) as told:
        repository.folder.rename(tmp_path / "old")
        await told.until(lambda: True)
        with pytest.raises(GitError, match="gone or unreadable"):
            await source.tip()
        copy.folder.rename(repository.folder)
        async with asyncio.timeout(LIMIT):
            while True:
                await anext(told.changes)
                try:
                    if await source.tip() == commit:
                        break
                except GitError:
                    continue
        await told.until_tip(repository.commit({"tts.yaml": "voice: again\n"}))


async def test_following_ends_when_cancelled(source: Source) -> None:
    async def rescans() -> bool:
        return any("_rescan" in repr(other) for other in asyncio.all_tasks())

    async def follow_on() -> None:
        async for _ in source.follow():
            pass

    task = asyncio.create_task(follow_on())
    await until(rescans, "the follower is under way")
    task.cancel()
    await asyncio.wait([task], timeout=LIMIT)
    assert task.cancelled()
    await source.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_following_ends_when_closed_and_leaves_nothing_behind(source: Source) -> None:
    changes = source.follow()
    await anext(changes)
    await changes.aclose()
    await source.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_locks_and_other_files_of_git_tell_nothing(repository: Repository, source: Source) -> None:
    watch = follow.watch_refs(source._facts, "main")
    git = repository.folder / ".git"
    told = {name for name in ("HEAD", "packed-refs", "index", "index.lock", "HEAD.lock") if watch.counts(git / name)}
    assert told == {"HEAD", "packed-refs"}
    assert watch.counts(git / "refs/heads/main")
    assert not watch.counts(git / "refs/heads/main.lock")
    assert watch.folders() == (git, git / "refs", git / "refs/heads")
    assert not follow.watch_files(repository.tree).counts(repository.tree / ".git" / "index")
