"""Fault 27: whatever happens to the repository, the last good state stays readable and the error says what to do."""

import os
from pathlib import Path

import pytest

from syncd.core.errors import GitBusy, GitError
from syncd.core.history import Relation
from syncd.core.problems import TreeError
from syncd.git.source import Revision, Source
from tests.support.repository import TREE, Repository, seed_repository
from tests.support.sources import values


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return seed_repository(tmp_path / "repository")


async def opened(repository: Repository, **options: str) -> tuple[Source, Revision]:
    source = await Source.open(repository.folder, path=TREE, prefix=TREE, **options)
    return source, await source.read()


def object_file(repository: Repository, revision: str) -> Path:
    oid = repository.git("rev-parse", revision)
    path = repository.folder / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


async def last_good_stands(source: Source, good: Revision) -> None:
    """The revision read before is served as it was."""
    assert await source.read(good.commit.id) is good


async def test_lock_files_disturb_no_reader(repository: Repository) -> None:
    source, _ = await opened(repository)
    commit = repository.commit({"tts.yaml": "voice: x\n"})
    for lock in ("index.lock", "HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "config.lock"):
        (repository.folder / ".git" / lock).touch()
    assert await source.tip() == commit
    assert (await source.read()).changed == frozenset({"tts/voice"})
    assert await source.uncommitted() == ()
    assert await source.blame("tts.yaml", 1, commit) is not None
    await source.close()


@pytest.mark.parametrize("what", ["HEAD", f"HEAD:{TREE}", f"HEAD:{TREE}/tts.yaml"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
async def test_a_damaged_object_keeps_the_last_good_state(
    repository: Repository, what: str, damage: bytes | None
) -> None:
    source, good = await opened(repository)
    repository.commit({"tts.yaml": "voice: damaged\n"})
    path = object_file(repository, what)
    path.write_bytes(path.read_bytes()[:-8] if damage is None else damage)
    for _ in range(2):
        with pytest.raises(GitError) as caught:
            await source.read()
        assert "fsck" in caught.value.hint
    await last_good_stands(source, good)
    repository.git("update-ref", "refs/heads/main", good.commit.id)
    assert await source.read() is good
    await source.close()


@pytest.mark.parametrize("what", ["HEAD", f"HEAD:{TREE}", f"HEAD:{TREE}/tts.yaml"])
async def test_an_object_that_has_not_arrived_is_waited_for(repository: Repository, what: str) -> None:
    source, good = await opened(repository)
    repository.commit({"tts.yaml": "voice: late\n"})
    path = object_file(repository, what)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(GitBusy, match="missing"):
        await source.read()
    await last_good_stands(source, good)
    path.write_bytes(content)
    assert (await source.read()).changed == frozenset({"tts/voice"})
    await source.close()


async def test_a_force_push_is_told_from_progress(repository: Repository) -> None:
    source, good = await opened(repository)
    newer = repository.commit({"tts.yaml": "voice: pushed over\n"})
    await source.read()
    repository.git("reset", "-q", "--hard", good.commit.id)
    other = repository.commit({"tts.yaml": "voice: forced\n"})
    revision = await source.read()
    assert (revision.commit.id, revision.changed) == (other, frozenset({"tts/voice"}))
    assert await source.relation(newer, other) is Relation.REWRITTEN
    assert await source.relation(newer, good.commit.id) is Relation.BEHIND
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "-q", "--prune=now")
    assert await source.relation(newer, other) is Relation.UNKNOWN
    await source.close()


async def test_a_shallow_clone_is_read_and_admits_what_it_does_not_know(repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    tip = repository.commit({"tts.yaml": "voice: x\n"})
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.folder}", str(tmp_path / "clone"))
    source = await Source.open(tmp_path / "clone", path=TREE, prefix=TREE)
    assert values(await source.read())["tts/voice"] == "x"
    assert await source.relation(first, tip) is Relation.UNKNOWN
    await source.close()


async def test_a_remote_that_is_gone_matters_to_no_reader(repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "-q", ".", str(tmp_path / "clone"))
    repository.folder.rename(tmp_path / "gone")
    source = await Source.open(tmp_path / "clone", path=TREE, prefix=TREE)
    assert values(await source.read())["tts/voice"] == "pt_BR-faber-medium"
    await source.close()


async def test_a_repository_of_another_user_is_read(repository: Repository) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    for folder, _, files in os.walk(repository.folder):
        for name in (".", *files):
            os.chown(Path(folder) / name, 12345, 12345)
    source, revision = await opened(repository)
    assert values(revision)["tts/voice"] == "pt_BR-faber-medium"
    assert await source.read_worktree() is revision
    await source.close()


async def test_a_deleted_branch_keeps_the_last_good_state_until_it_is_back(repository: Repository) -> None:
    source, good = await opened(repository)
    repository.git("checkout", "-q", "--detach")
    repository.git("branch", "-qD", "main")
    with pytest.raises(GitError, match="branch main is gone") as caught:
        await source.read()
    assert "last state is kept" in caught.value.hint
    await last_good_stands(source, good)
    repository.git("branch", "main", good.commit.id)
    assert await source.read() is good
    await source.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 41, b"not a name\n"])
async def test_a_damaged_ref_is_not_taken_for_a_deleted_one(repository: Repository, content: bytes) -> None:
    source, good = await opened(repository)
    (repository.folder / ".git/refs/heads/main").write_bytes(content)
    with pytest.raises(GitError, match="the ref of branch main is damaged"):
        await source.read()
    await last_good_stands(source, good)
    with pytest.raises(GitError, match="the ref of branch main is damaged"):
        await Source.open(repository.folder, path=TREE, prefix=TREE)
    await source.close()


async def test_a_repository_that_vanished_keeps_the_last_good_state(repository: Repository, tmp_path: Path) -> None:
    source, _ = await opened(repository)
    repository.folder.rename(tmp_path / "moved")
    with pytest.raises(GitError, match="gone or unreadable") as caught:
        await source.read()
    assert "last state is kept" in caught.value.hint
    with pytest.raises(GitError, match="No such file"):
        await source.read_worktree()
    (tmp_path / "moved").rename(repository.folder)
    assert values(await source.read())["tts/voice"] == "pt_BR-faber-medium"
    await source.close()


async def test_an_emptied_folder_is_an_error_and_no_empty_tree(repository: Repository) -> None:
    source, good = await opened(repository)
    repository.git("rm", "-rq", TREE)
    repository.commit()
    with pytest.raises(GitError, match="no folder config/mordomo"):
        await source.read()
    await last_good_stands(source, good)
    await source.close()


async def test_an_invalid_commit_keeps_the_last_good_state(repository: Repository) -> None:
    source, good = await opened(repository)
    repository.commit({"tts.yaml": "voice: [\n"})
    with pytest.raises(TreeError):
        await source.read()
    await last_good_stands(source, good)
    await source.close()


async def test_a_branch_switched_under_our_feet_changes_nothing(repository: Repository) -> None:
    source, good = await opened(repository)
    repository.git("checkout", "-q", "-b", "other")
    repository.commit({"tts.yaml": "voice: other\n"})
    assert await source.read() is good
    assert source.branch == "main"
    await source.close()
