"""Reading a tree at a commit, and the next one from it."""

import asyncio
import os
import subprocess

import pytest

from syncd.core.errors import GitError
from syncd.core.problems import TreeError
from syncd.core.tree import MAX_FILE_BYTES
from syncd.git import trees
from syncd.git.source import Source
from tests.support.repository import TREE, Repository
from tests.support.sources import Open, values


def codes(error: TreeError) -> set[tuple[str, str]]:
    return {(problem.path, problem.code) for problem in error.problems}


def raw_commit(repository: Repository, *entries: bytes) -> str:
    """Commit a tree that git's own commands would not write; each entry as ``MODE NAME\\0OID``."""
    tree = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=repository.folder, input=b"".join(entries), check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    return repository.git("commit-tree", "-m", "x", tree)


def blob(repository: Repository, content: bytes = b"a: 1\n") -> bytes:
    oid = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=repository.folder, input=content, check=True, capture_output=True
    ).stdout.decode()
    return bytes.fromhex(oid.strip())


async def test_a_commit_is_known_by_author_message_and_time(repository: Repository, source: Source) -> None:
    commit = (await source.read()).commit
    assert commit.id == repository.git("rev-parse", "main") == await source.tip()
    assert (commit.ref, commit.author, commit.message) == ("main", "Ana <ana@example.org>", "Start")
    assert commit.time == int(repository.git("log", "-1", "--format=%ct"))
    assert not commit.worktree


async def test_the_commit_is_read_and_never_the_checkout(repository: Repository, source: Source) -> None:
    repository.write({"tts.yaml": "voice: edited\n"})
    assert values(await source.read())["tts/voice"] == "pt_BR-faber-medium"


async def test_the_first_revision_knows_no_earlier_one(source: Source) -> None:
    revision = await source.read()
    assert (revision.since, revision.changed) == (None, None)


async def test_the_next_revision_names_the_keys_that_changed(repository: Repository, source: Source) -> None:
    first = await source.read()
    repository.commit({"tts.yaml": "voice: other\nspeed: 1\n", "wake_word.yaml": None, "new/deep.yaml": "x: 1\n"})
    second = await source.read()
    assert second.since == first.commit.id
    assert second.changed == frozenset({"tts/voice", "tts/speed", "wake_word/sensitivity", "new/deep/x"})
    assert values(second) == {
        "brain/model": "qwen2.5:3b",
        "brain/temperature": "0.7",
        "tts/voice": "other",
        "tts/speed": "1",
        "new/deep/x": "1",
    }


async def test_a_commit_beside_the_tree_changes_nothing(repository: Repository, source: Source) -> None:
    first = await source.read()
    (repository.folder / "README").write_text("x")
    repository.commit()
    second = await source.read()
    assert (second.since, second.changed) == (first.commit.id, frozenset())
    assert second.tree is first.tree


async def test_a_commit_read_again_is_the_same_revision(repository: Repository, source: Source) -> None:
    first = await source.read()
    repository.commit({"tts.yaml": "voice: x\n"})
    await source.read()
    assert await source.read(first.commit.id) is first


async def test_many_commits_keep_only_the_last_few(repository: Repository, source: Source) -> None:
    for n in range(8):
        repository.commit({"tts.yaml": f"voice: {n}\n"})
        await source.read()
    assert len(source._revisions._kept) == 4
    assert len(source._revisions._assembler._known) <= 3 + 4  # one may lie below the others, replaced


async def test_readers_at_once_share_one_read(source: Source) -> None:
    one, other = await asyncio.gather(source.read(), source.read())
    assert one is other


async def test_a_name_may_change_between_file_and_folder(repository: Repository, source: Source) -> None:
    repository.commit({"a.txt/b.yaml": "x: 1\n"})
    assert values(await source.read())["a.txt/b/x"] == "1"
    repository.git("rm", "-rq", f"{TREE}/a.txt")
    repository.commit({"a.txt": "text"})
    assert (await source.read()).changed == frozenset({"a.txt/b/x", "a.txt"})
    repository.commit({"a.txt": None})
    repository.commit({"a.txt/b.yaml": "x: 2\n"})
    assert (await source.read()).changed == frozenset({"a.txt", "a.txt/b/x"})


async def test_a_commit_that_touches_one_file_of_a_thousand_reads_one(repository: Repository, source: Source) -> None:
    repository.commit({f"{n % 10}/{n}.yaml": f"x: {n}\n" for n in range(1000)})
    await source.read()
    repository.commit({"3/3.yaml": "x: changed\n"})
    before = source._objects.asked
    assert (await source.read()).changed == frozenset({"3/3/x"})
    commit, root, folder, blobs = 1, 1, 1, 1  # of the trees only the new ones: the old ones are remembered
    assert source._objects.asked - before == commit + root + folder + blobs


async def test_trees_of_any_size_are_compared_though_only_so_much_is_remembered(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "_REMEMBERED", 20)
    repository.commit({f"{n % 10}/{n}.yaml": f"x: {n}\n" for n in range(100)})
    await source.read()
    for n in range(3):
        repository.commit({f"{n}/{n}.yaml": f"x: changed {n}\n", f"{n}/1{n}.yaml": None})
        assert (await source.read()).changed == frozenset({f"{n}/{n}/x", f"{n}/1{n}/x"})
    assert sum(map(len, source._revisions._trees._known.values())) == source._revisions._trees._known_entries <= 20


async def test_big_trees_leave_the_event_loop_alive(repository: Repository, source: Source) -> None:
    repository.commit({f"{n}.yaml": f"x: {n}\n" for n in range(600)})
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(turn())
    await source.read()
    task.cancel()
    assert turns > 10


async def test_an_invalid_commit_is_skipped_over_by_the_next_good_one(repository: Repository, source: Source) -> None:
    good = await source.read()
    bad = repository.commit({"tts.yaml": "voice: [\n", "brain.yaml": "model: new\n"})
    for _ in range(2):
        with pytest.raises(TreeError) as caught:
            await source.read()
        assert caught.value.commit == bad
        assert {path for path, _ in codes(caught.value)} == {"tts.yaml"}
    repository.commit({"tts.yaml": "voice: mended\n"})
    mended = await source.read()
    assert mended.since == good.commit.id
    assert mended.changed == frozenset({"tts/voice", "brain/model", "brain/temperature"})


async def test_mending_an_invalid_first_commit_parses_only_what_changed(
    repository: Repository, open_source: Open
) -> None:
    repository.commit({f"{n}.yaml": f"x: {n}\n" for n in range(60)} | {"tts.yaml": "voice: [\n"})
    source = await open_source(repository.folder)
    with pytest.raises(TreeError):
        await source.read()
    repository.commit({"tts.yaml": "voice: x\n"})
    before = source._objects.asked
    assert len(values(await source.read())) == 64
    assert source._objects.asked - before < 10


async def test_changed_rules_read_the_tree_anew_but_parse_only_what_they_concern(
    repository: Repository, source: Source
) -> None:
    repository.commit({"list.yaml": "x: [1, 2]\n"})
    assert values(await source.read())["list/x"] == "[1,2]"
    repository.commit({".syncd.yaml": "rules:\n  - match: list.yaml\n    lists: index\n", ".syncdignore": "tts.yaml\n"})
    before = source._objects.asked
    revision = await source.read()
    assert (revision.since, revision.changed) == (None, None)
    assert values(revision).keys() == {
        "brain/model", "brain/temperature", "wake_word/sensitivity", "list/x/0", "list/x/1",
    }  # fmt: skip
    commit, root, blobs = 1, 1, 3  # blobs: both files of rules, and the list
    assert source._objects.asked - before == commit + root + blobs


async def test_invalid_rules_keep_the_commit_out(repository: Repository, source: Source) -> None:
    good = await source.read()
    repository.commit({".syncd.yaml": "rules: [{match: x, wrong: 1}]\n"})
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert caught.value.problems[0].path == ".syncd.yaml"
    repository.commit({".syncd.yaml": None})
    assert values(await source.read()) == values(good)


async def test_rules_that_are_a_link_or_too_large_keep_the_commit_out(repository: Repository, source: Source) -> None:
    (repository.tree / ".syncdignore").symlink_to("tts.yaml")
    repository.commit()
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert codes(caught.value) == {(".syncdignore", "symlink")}
    (repository.tree / ".syncdignore").unlink()
    repository.commit({".syncdignore": b"#" * (MAX_FILE_BYTES + 1)})
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert {path for path, _ in codes(caught.value)} == {".syncdignore"}


async def test_a_file_over_the_limit_is_refused_unread_and_the_rest_goes_on(
    repository: Repository, source: Source
) -> None:
    repository.commit({"huge.yaml": b"x" * (MAX_FILE_BYTES + 1), "tts.yaml": "voice: [\n"})
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert {path for path, _ in codes(caught.value)} == {"huge.yaml", "tts.yaml"}
    repository.commit({"huge.yaml": None, "tts.yaml": "voice: x\n"})
    assert (await source.read()).tree.desired.keys["tts/voice"].value == b"x"


@pytest.mark.parametrize("target", ["tts.yaml", "../../..", "loop.yaml", "/etc/passwd"])
async def test_a_symbolic_link_is_refused_wherever_it_leads(
    repository: Repository, source: Source, target: str
) -> None:
    (repository.tree / "loop.yaml").symlink_to(target)
    repository.commit()
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert {path for path, _ in codes(caught.value)} == {"loop.yaml"}


async def test_a_submodule_is_refused(repository: Repository, source: Source) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{await source.tip()},{TREE}/sub")
    repository.git("commit", "-qm", "x")
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert {path for path, _ in codes(caught.value)} == {"sub"}


@pytest.mark.parametrize("name", [b"a\nb.yaml", b"\xff\xfe.yaml", b"\xe2\x80\xae.yaml"])
async def test_a_file_whose_name_can_be_no_key_is_refused(repository: Repository, source: Source, name: bytes) -> None:
    await source.read()
    repository.commit({os.fsdecode(name): "x: 1\n"})
    with pytest.raises(TreeError) as caught:
        await source.read()
    assert len(caught.value.problems) == 1
    repository.git("rm", "-q", f"{TREE}/*.yaml")
    repository.commit({"a.yaml": "x: 1\n"})
    assert values(await source.read()) == {"a/x": "1"}


async def test_a_leading_dash_is_a_name_like_any_other(repository: Repository, source: Source) -> None:
    repository.commit({"-rf.yaml": "x: 1\n"})
    revision = await source.read()
    assert values(revision)["-rf/x"] == "1"
    blamed = await source.blame("-rf.yaml", 1, revision.commit.id)
    assert blamed is not None
    assert blamed.id == revision.commit.id


async def test_a_path_300_deep_is_refused_for_its_key_or_read(repository: Repository, source: Source) -> None:
    repository.commit({"d/" * 200 + "x.yaml": "y: 1\n"})
    assert values(await source.read())["d/" * 200 + "x/y"] == "1"
    repository.commit({"d/" * 300 + "x.yaml": "y: 1\n"})
    with pytest.raises(TreeError):
        await source.read()


async def test_a_tree_nested_without_end_is_refused(repository: Repository, open_source: Open) -> None:
    oid = blob(repository)
    entry = b"100644 a.yaml\0" + oid
    name = b"n" * 250
    for _ in range(20):
        commit = raw_commit(repository, entry)
        entry = b"40000 " + name + b"\0" + bytes.fromhex(repository.git("rev-parse", f"{commit}^{{tree}}"))
    repository.git("update-ref", "refs/heads/deep", raw_commit(repository, entry))
    source = await open_source(repository.folder, path="", branch="deep")
    with pytest.raises(TreeError, match="nested deeper"):
        await source.read()


async def test_trees_that_repeat_each_other_without_end_are_refused(
    repository: Repository, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "MAX_ENTRIES", 5_000)
    entries = [b"100644 %02d.yaml\0" % n + blob(repository) for n in range(10)]
    for _ in range(10):
        tree = bytes.fromhex(repository.git("rev-parse", f"{raw_commit(repository, *entries)}^{{tree}}"))
        entries = [b"40000 %02d\0" % n + tree for n in range(10)]
    repository.git("update-ref", "refs/heads/bomb", raw_commit(repository, *entries))
    source = await open_source(repository.folder, path="", branch="bomb")
    with pytest.raises(TreeError, match="more than 5,000 files"):
        await source.read()


async def test_a_tree_with_one_name_twice_is_damaged(repository: Repository, open_source: Open) -> None:
    entry = b"100644 a.yaml\0" + blob(repository)
    repository.git("update-ref", "refs/heads/twice", raw_commit(repository, entry, entry))
    source = await open_source(repository.folder, path="", branch="twice")
    with pytest.raises(GitError, match="damaged"):
        await source.read()


async def test_a_device_in_a_tree_is_refused(repository: Repository, open_source: Open) -> None:
    repository.git("update-ref", "refs/heads/odd", raw_commit(repository, b"20000 tty.yaml\0" + blob(repository)))
    source = await open_source(repository.folder, path="", branch="odd")
    with pytest.raises(TreeError):
        await source.read()


@pytest.mark.parametrize("revision", ["HEAD~1", "v1", "v2"])
async def test_a_revision_means_a_commit(repository: Repository, source: Source, revision: str) -> None:
    first = await source.tip()
    repository.git("tag", "v1")
    repository.git("tag", "-a", "-m", "x", "v2")
    repository.commit({"tts.yaml": "voice: x\n"})
    assert await source.resolve(revision) == first
    assert await source.resolve(first[:12]) == first
    assert values(await source.read(revision))["tts/voice"] == "pt_BR-faber-medium"


@pytest.mark.parametrize("revision", ["none", "", "x\nHEAD", "a" * 2000, "HEAD:config", "\udcff", "HEAD^{tree}"])
async def test_a_revision_that_means_none_is_refused(source: Source, revision: str) -> None:
    with pytest.raises(GitError, match="there is no commit"):
        await source.resolve(revision)
    assert values(await source.read())


async def test_an_ambiguous_revision_asks_for_more(repository: Repository, source: Source) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    seen: set[str] = set()
    for n in range(2000):
        oid = repository.git("commit-tree", "-m", str(n), tree)
        if oid[:4] in seen:
            break
        seen.add(oid[:4])
    with pytest.raises(GitError, match="ambiguous"):
        await source.resolve(oid[:4])


async def test_a_replacement_object_does_not_stand_in_for_a_commit(repository: Repository, source: Source) -> None:
    first = await source.tip()
    second = repository.commit({"tts.yaml": "voice: other\n"})
    repository.git("replace", second, first)
    assert values(await source.read())["tts/voice"] == "other"
