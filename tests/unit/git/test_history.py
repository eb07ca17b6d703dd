"""How commits stand to each other, and who wrote a line."""

from pathlib import Path

import pytest

from syncd.core.errors import GitError
from syncd.core.history import Relation
from syncd.git.source import Source
from tests.support.repository import TREE, Repository
from tests.support.sources import Open


def chain(repository: Repository, start: str, length: int) -> str:
    """Put empty commits on top of one and return the last."""
    for _ in range(length):
        start = repository.git("commit-tree", "-p", start, "-m", "x", f"{start}^{{tree}}")
    return start


@pytest.mark.parametrize("distance", [1, 5, 80])
async def test_a_later_commit_is_a_descendant_and_an_earlier_one_behind(
    repository: Repository, source: Source, distance: int
) -> None:
    first = await source.tip()
    last = chain(repository, first, distance)
    assert await source.relation(first, last) is Relation.DESCENDANT
    assert await source.relation(last, first) is Relation.BEHIND


async def test_a_commit_stands_to_itself_as_the_same(source: Source) -> None:
    assert await source.relation(await source.tip(), await source.tip()) is Relation.SAME


async def test_few_commits_are_remembered_and_the_others_read_again(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.git.commits._REMEMBERED", 2)
    first = await source.tip()
    last = chain(repository, first, 5)
    for _ in range(2):
        assert await source.relation(first, last) is Relation.DESCENDANT
    assert len(source._commits._known) == 2


async def test_a_merged_branch_is_an_ancestor(repository: Repository, source: Source) -> None:
    first = await source.tip()
    side = chain(repository, first, 1)
    other = repository.git("commit-tree", "-p", first, "-m", "other", f"{first}^{{tree}}")
    merge = repository.git("commit-tree", "-p", other, "-p", side, "-m", "merge", f"{first}^{{tree}}")
    assert await source.relation(side, merge) is Relation.DESCENDANT
    assert await source.relation(side, other) is Relation.REWRITTEN


async def test_an_unrelated_history_is_rewritten(repository: Repository, source: Source) -> None:
    root = repository.git("commit-tree", "-m", "root", "HEAD^{tree}")
    assert await source.relation(await source.tip(), root) is Relation.REWRITTEN


@pytest.mark.parametrize("held", ["f" * 40, "", "--help", "HEAD", "HEAD^{tree}"])
async def test_a_commit_that_is_not_here_is_unknown(source: Source, held: str) -> None:
    assert await source.relation(held, await source.tip()) is Relation.UNKNOWN
    assert await source.relation(await source.tip(), held) is Relation.UNKNOWN


async def test_a_tree_is_no_commit_to_stand_to(repository: Repository, source: Source) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    assert await source.relation(tree, await source.tip()) is Relation.UNKNOWN


async def test_a_shallow_history_that_ends_without_an_answer_is_unknown(
    repository: Repository, open_source: Open, tmp_path: Path
) -> None:
    first = repository.git("rev-parse", "HEAD")
    second, third = (repository.commit({"tts.yaml": f"voice: {n}\n"}) for n in range(2))
    repository.git("clone", "-q", "--depth", "2", f"file://{repository.folder}", str(tmp_path / "shallow"))
    source = await open_source(tmp_path / "shallow")
    assert await source.relation(second, third) is Relation.DESCENDANT
    assert await source.relation(third, second) is Relation.BEHIND
    assert await source.relation(first, third) is Relation.UNKNOWN
    orphan = repository.git("commit-tree", "-m", "orphan", "HEAD^{tree}")
    repository.git("push", "-q", str(tmp_path / "shallow"), f"{orphan}:refs/heads/orphan")
    assert await source.relation(orphan, third) is Relation.UNKNOWN
    assert await source.relation(third, orphan) is Relation.UNKNOWN


async def test_a_missing_commit_in_between_is_unknown(repository: Repository, source: Source) -> None:
    first = await source.tip()
    middle = chain(repository, first, 70)
    last = chain(repository, middle, 70)
    (repository.folder / ".git" / "objects" / middle[:2] / middle[2:]).unlink()
    assert await source.relation(first, last) is Relation.UNKNOWN


async def test_a_damaged_commit_in_between_is_unknown(repository: Repository, source: Source) -> None:
    first = await source.tip()
    last = chain(repository, first, 3)
    middle = repository.git("rev-parse", f"{last}~1")
    path = repository.folder / ".git" / "objects" / middle[:2] / middle[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")
    assert await source.relation(first, last) is Relation.UNKNOWN


async def test_a_commit_that_is_none_is_damaged(repository: Repository, source: Source) -> None:
    (repository.folder / "odd").write_text("author Ana <a@example.org> 1 +0000\n\n")
    oid = repository.git("hash-object", "-t", "commit", "-w", "--literally", "odd")
    with pytest.raises(GitError, match="damaged: a commit without a tree"):
        await source._commits.read([oid])


async def test_blame_names_the_commit_that_wrote_a_line(repository: Repository, source: Source) -> None:
    first = await source.tip()
    second = repository.commit({"brain.yaml": "model: qwen2.5:3b\ntemperature: 0.9\n"}, "Warm up")
    third = repository.commit({"tts.yaml": "voice: x\n"})
    by_line = [await source.blame("brain.yaml", line, third) for line in (1, 2)]
    assert [commit and commit.id for commit in by_line] == [first, second]
    assert by_line[1] is not None
    assert (by_line[1].message, by_line[1].author) == ("Warm up", "Ana <ana@example.org>")


async def test_blame_of_a_whole_file_names_who_touched_it_last(repository: Repository, source: Source) -> None:
    second = repository.commit({"logo.bin": b"\0\1"})
    third = repository.commit({"tts.yaml": "voice: x\n"})
    found = await source.blame("logo.bin", 0, third)
    assert found is not None
    assert found.id == second


@pytest.mark.parametrize(("path", "line"), [("none.yaml", 1), ("none.yaml", 0), ("tts.yaml", 99), ("*.yaml", 0)])
async def test_blame_of_what_is_not_there_is_none(source: Source, path: str, line: int) -> None:
    assert await source.blame(path, line, await source.tip()) is None


async def test_blame_survives_settings_of_the_repository(repository: Repository, source: Source) -> None:
    repository.git("config", "blame.ignoreRevsFile", "not-there")
    repository.git("config", "blame.showEmail", "true")
    assert await source.blame("tts.yaml", 1, await source.tip()) is not None


async def test_blame_uses_the_tree_at_the_commit_asked_for(repository: Repository, source: Source) -> None:
    first = await source.tip()
    repository.git("mv", f"{TREE}/tts.yaml", f"{TREE}/voice.yaml")
    repository.commit()
    found = await source.blame("tts.yaml", 1, first)
    assert found is not None
    assert found.id == first
