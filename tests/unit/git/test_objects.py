"""The long-lived process that reads objects."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from syncd.core.errors import GitBusy, GitError
from syncd.core.tree import MAX_FILE_BYTES
from syncd.git.objects import Found, Missing, Objects
from syncd.git.repository import discover
from tests.support.repository import TREE, Repository
from tests.support.waiting import until


@pytest.fixture
async def objects(repository: Repository) -> AsyncIterator[Objects]:
    opened = Objects(*await discover(repository.folder))
    yield opened
    await opened.close()


def process_id(objects: Objects) -> int:
    assert objects._batch is not None
    return objects._batch._process.pid


async def test_answers_come_in_the_order_asked(repository: Repository, objects: Objects) -> None:
    names = ["main", "none at all", "HEAD^{tree}", f"HEAD:{TREE}/tts.yaml"]
    answers = [answer async for answer in objects.read(names)]
    kinds = [answer.kind if isinstance(answer, Found) else answer.reason for answer in answers]
    assert kinds == ["commit", "missing", "tree", "blob"]
    assert answers[1] == Missing("none at all", "missing")
    assert isinstance(answers[3], Found)
    assert answers[3].content == b"voice: pt_BR-faber-medium\n"
    assert objects.asked == 4


async def test_thousands_of_names_at_once_do_not_block(repository: Repository, objects: Objects) -> None:
    names = ["HEAD^{tree}", "main"] * 20_000
    async with asyncio.timeout(60):
        count = len([None async for _ in objects.read(names)])
    assert count == 40_000


async def test_one_process_serves_all_reads(objects: Objects) -> None:
    await objects.one("main")
    process = process_id(objects)
    await objects.one("HEAD")
    assert process_id(objects) == process


async def test_readers_at_once_take_turns(objects: Objects) -> None:
    answers = await asyncio.gather(*(objects.one(name) for name in ("main", "HEAD^{tree}") * 20))
    assert [isinstance(answer, Found) and answer.kind for answer in answers] == ["commit", "tree"] * 20


async def test_objects_and_refs_packed_under_the_process_are_found(repository: Repository, objects: Objects) -> None:
    """Also several times within a second, which git itself does not see."""
    await objects.one("main")
    for n in range(3):
        commit = repository.commit({"tts.yaml": f"voice: {n}\n"})
        repository.git("pack-refs", "--all")
        repository.git("repack", "-adq")
        repository.git("prune-packed")
        repository.git("gc", "-q", "--prune=now")
        answer = await objects.one("main")
        assert isinstance(answer, Found)
        assert answer.oid == commit
        blob = await objects.one(f"{commit}:{TREE}/tts.yaml")
        assert isinstance(blob, Found)
        assert blob.content == b"voice: %d\n" % n


@pytest.mark.parametrize("seen", [True, False])
async def test_a_killed_process_is_started_again(objects: Objects, seen: bool) -> None:
    await objects.one("main")
    os.kill(process_id(objects), signal.SIGKILL)
    if seen:
        assert objects._batch is not None
        await until(lambda: _ended(objects), "the process ends")
    assert isinstance(await objects.one("main"), Found)


async def _ended(objects: Objects) -> bool:
    return objects._batch is not None and objects._batch.ended


async def _locked(objects: Objects) -> bool:
    return objects._lock.locked()


async def test_a_reader_that_leaves_early_does_not_confuse_the_next(objects: Objects) -> None:
    async with aclosing(objects.read(["main", "HEAD^{tree}", "HEAD"])) as answers:
        await anext(answers)
    answer = await objects.one("HEAD^{tree}")
    assert isinstance(answer, Found)
    assert answer.kind == "tree"


async def test_a_cancelled_reader_does_not_confuse_the_next(repository: Repository, objects: Objects) -> None:
    await objects.one("main")
    os.kill(process_id(objects), signal.SIGSTOP)
    task = asyncio.create_task(objects.one("main"))
    await until(lambda: _locked(objects), "the reader waits")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer = await objects.one("HEAD^{tree}")
    assert isinstance(answer, Found)
    assert answer.kind == "tree"


async def test_an_object_over_the_limit_is_drained_and_the_next_is_whole(
    repository: Repository, objects: Objects
) -> None:
    repository.commit({"huge.bin": b"x" * (MAX_FILE_BYTES + 1), "limit.bin": b"y" * MAX_FILE_BYTES})
    names = [f"HEAD:{TREE}/{name}" for name in ("huge.bin", "limit.bin", "tts.yaml")]
    huge, limit, small = [answer async for answer in objects.read(names)]
    assert isinstance(huge, Found)
    assert (huge.size, huge.content) == (MAX_FILE_BYTES + 1, None)
    assert isinstance(limit, Found)
    assert limit.content is not None
    assert len(limit.content) == MAX_FILE_BYTES
    assert isinstance(small, Found)
    assert small.content == b"voice: pt_BR-faber-medium\n"


async def test_a_process_that_dies_within_a_large_object_is_damage(repository: Repository, objects: Objects) -> None:
    noise = os.urandom(MAX_FILE_BYTES + 1_000_000)
    repository.commit({"huge.bin": noise})
    oid = repository.git("rev-parse", f"HEAD:{TREE}/huge.bin")
    path = repository.folder / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 500_000)
    with pytest.raises(GitError, match="damaged"):
        await objects.one(oid)


async def test_what_must_be_there_is_demanded(repository: Repository, objects: Objects) -> None:
    with pytest.raises(GitBusy, match="is missing"):
        await objects.get("f" * 40, "blob")
    with pytest.raises(GitError, match=r"a commit of .* where a blob belongs"):
        await objects.get(repository.git("rev-parse", "HEAD"), "blob")


async def test_a_content_that_does_not_match_its_name_is_damage(repository: Repository, objects: Objects) -> None:
    (repository.folder / "other").write_text("other")
    other = repository.git("hash-object", "-w", "other")
    ours = repository.git("rev-parse", f"HEAD:{TREE}/tts.yaml")
    folder = repository.folder / ".git" / "objects"
    target = folder / ours[:2] / ours[2:]
    target.unlink()
    target.write_bytes((folder / other[:2] / other[2:]).read_bytes())
    with pytest.raises(GitError, match="damaged"):
        await objects.get(ours, "blob")
    assert isinstance(await objects.one("main"), Found)
