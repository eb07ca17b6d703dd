"""What is published, from what the daemon holds: whole revisions and strangers' changes, each once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from syncd.core.desired import Commit
from syncd.core.errors import StateError
from syncd.core.event import Event
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.mirror import Mirror
from syncd.core.record import FORMAT, Applied, Applying, Record
from syncd.core.rules import Rules
from syncd.core.tree import Sorted, TreeEntry, build, parse_file
from syncd.daemon.publisher import Publisher
from syncd.daemon.survey import Held
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.git.source import Revision

MARK: Final = mark_of("p")


class Known:
    """Knows revisions by commit, as the survey does."""

    def __init__(self) -> None:
        self.revisions: dict[str, Revision] = {}

    async def applied_revision(self, applied: Applied) -> Revision | None:
        return self.revisions.get(applied.commit)


class Scene:
    """A node that publishes; ``index`` counts the store's writes."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal.open(folder)
        self.known = Known()
        self.events: list[Event] = []
        self.view = View()
        self.publisher = Publisher(
            self.journal, self.view, self.known.applied_revision, self.events.append, root="config", now=lambda: 5.0
        )
        self.index = 10
        self.tree("c1")
        applied = Applied("c1", "main", "Ana", "first", 1, 1, "d")
        self.held = Held(Mirror({}), Record(FORMAT, "p", "l", MARK, "e", applied), self.index, self.index)

    def write(self, key: str, value: bytes | None, *, flags: int = 0) -> None:
        self.index += 1
        if value is None:
            self.held.mirror.remove(key, self.index)
        else:
            self.held.mirror.enter({key: Entry(value, flags, self.index)})

    def apply(self, commit: str, *manifest: str, known: bool = True) -> None:
        """Say that a commit was applied."""
        assert self.held.record is not None
        self.index += 1
        assert self.held.record.applied is not None
        operations, before = dict.fromkeys(manifest, "update") if known else None, self.held.record.applied.commit
        applied = Applied(commit, "main", "Ana", f"message of {commit}", 1, 1, "d", before, operations)
        self.held.record = replace(self.held.record, applied=applied, applying=None)
        self.held.index = self.index

    def reread(self) -> None:
        """Read the store in full."""
        entries = {key: replace(entry) for key, entry in self.held.live.items()}
        self.held = Held(Mirror(entries), self.held.record, self.held.index, self.index)

    def tree(self, commit: str, **files: str) -> None:
        """Let git know a commit."""
        rules = Rules.parse(files.pop("rules", "").encode(), None)
        parsed = {
            f"{name}.yaml": parse_file(f"{name}.yaml", text.encode(), rules.policy(f"{name}.yaml"), "p")
            for name, text in files.items()
        }
        found = Sorted({path: TreeEntry(path.encode(), "file", path) for path in parsed}, frozenset(), ())
        tree = build(rules, found, parsed)
        self.known.revisions[commit] = Revision(Commit(commit), tree, None, None)

    async def publish(self, **more: frozenset[str]) -> list[Event]:
        """Publish; return what was told by it."""
        before = len(self.events)
        await self.publisher.publish(self.held, **more)
        return self.events[before:]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Scene]:
    scene = Scene(folder)
    try:
        yield scene
    finally:
        await scene.journal.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as made:
        yield made


def keys(event: Event) -> list[str]:
    return sorted(change.key for change in event.changes)


async def test_the_first_time_the_view_is_filled_and_nothing_is_told(scene: Scene) -> None:
    scene.write("a", b"1")
    assert await scene.publish() == []
    assert (scene.view.ready, set(scene.view.entries)) == (True, {"a"})
    assert set(await scene.journal.published()) == {"a"}


async def test_nothing_is_published_before_anything_was_applied(scene: Scene) -> None:
    scene.held.record = None
    assert await scene.publish() == []
    assert not scene.view.ready


# promise 16
async def test_a_revision_is_told_whole_with_its_commit_and_places(scene: Scene) -> None:
    await scene.publish()
    scene.tree("c2", brain="model: x\n")
    scene.write("brain/model", b"x", flags=MARK)
    scene.apply("c2", "brain/model")
    (event,) = await scene.publish()
    id_ = f"e-{scene.index}-{scene.journal.head.journal}-1"
    assert (event.kind, event.id, event.seq, event.time) == ("revision", id_, 1, 5.0)
    assert event.revision is not None
    assert (event.revision.commit, event.revision.message) == ("c2", "message of c2")
    (change,) = event.changes
    assert (change.operation, change.new, change.at) == ("create", b"x", "config/brain.yaml:1:1")
    assert await scene.publish() == [], "each once"


# promise 16
async def test_half_a_revision_is_never_told(scene: Scene) -> None:
    await scene.publish()
    assert scene.held.record is not None
    scene.held.record = replace(scene.held.record, applying=Applying("c2", 1))
    scene.write("a", b"1")
    assert await scene.publish() == []
    scene.write("b", b"1")
    scene.apply("c2", known=False)
    (event,) = await scene.publish()
    assert (event.kind, keys(event)) == ("revision", ["a", "b"])


# promise 16
async def test_two_revisions_that_were_applied_since_are_told_as_one(scene: Scene) -> None:
    """The second one's manifest does not name what the first one changed."""
    await scene.publish()
    scene.write("a", b"1", flags=MARK)
    scene.apply("c2", "a")
    scene.write("b", b"1", flags=MARK)
    scene.apply("c3", "b")
    (event,) = await scene.publish()
    assert (event.kind, keys(event)) == ("revision", ["a", "b"])


async def test_a_strangers_change_beside_a_revision_is_told_apart(scene: Scene) -> None:
    await scene.publish()
    scene.write("a", b"1", flags=MARK)
    scene.write("theirs", b"1")
    scene.apply("c2", "a")
    ours, foreign = await scene.publish()
    assert (ours.kind, keys(ours)) == ("revision", ["a"])
    assert (foreign.kind, keys(foreign), foreign.revision) == ("foreign", ["theirs"], None)
    assert len({ours.id, foreign.id}) == 2


async def test_a_stranger_who_deletes_is_told_with_an_id_of_its_own(scene: Scene) -> None:
    scene.write("a", b"1")
    scene.write("b", b"1")
    await scene.publish()
    found = []
    for key in ("a", "b"):
        scene.write(key, None)
        found += await scene.publish()
    assert [each.changes[0].operation for each in found] == ["delete", "delete"]
    assert len({each.id for each in found}) == 2


async def test_what_is_to_be_healed_waits_and_is_not_told_once_it_is_healed(scene: Scene) -> None:
    scene.write("a", b"1")
    await scene.publish()
    scene.write("a", b"by-hand")
    assert await scene.publish(unsettled=frozenset({"a"})) == []
    scene.write("a", b"1")
    assert await scene.publish() == []
    scene.write("a", b"stays")
    (event,) = await scene.publish()
    assert (event.changes[0].old, event.changes[0].new) == (b"1", b"stays")


async def test_a_commit_that_changes_nothing_is_nothing_to_tell(scene: Scene) -> None:
    await scene.publish()
    scene.apply("c2")
    assert await scene.publish() == []
    assert scene.view.revision is not None
    assert scene.view.revision.commit == "c2"
    scene.write("a", b"1")
    assert [each.kind for each in await scene.publish()] == ["foreign"]


async def test_a_read_in_full_tells_what_was_missed_and_shares_its_objects(scene: Scene) -> None:
    scene.write("a", b"1")
    scene.write("b", b"1")
    await scene.publish()
    scene.write("b", b"2")
    scene.reread()
    (event,) = await scene.publish()
    assert keys(event) == ["b"]
    assert all(scene.view.entries[key] is scene.held.live[key] for key in "ab")


async def test_more_keys_than_are_noted_one_by_one_are_told_all_the_same(scene: Scene) -> None:
    await scene.publish()
    for number in range(10_001):
        scene.write(f"k{number}", b"1")
    (event,) = await scene.publish()
    assert (event.count, len(event.changes)) == (10_001, 10_001)
    assert not any(each.new_hash for each in event.changes), "names alone"


# promise 15
async def test_after_a_restart_what_changed_meanwhile_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        for key in ("a", "b", "gone"):
            scene.write(key, b"1")
        await scene.publish()
        held = scene.held
    async with opened(tmp_path) as scene:
        scene.held, scene.index = held, 50
        scene.write("b", b"2")
        scene.write("gone", None)
        scene.write("new", b"1")
        scene.apply("c2", "b", "gone")
        scene.reread()
        ours, foreign = await scene.publish()
        assert (keys(ours), keys(foreign)) == (["b", "gone"], ["new"])
        assert (ours.changes[0].old, ours.changes[0].old_hash != "") == (None, True)
        assert set(scene.view.entries) == {"a", "b", "new"}
        assert set(await scene.journal.published()) == {"a", "b", "new"}


# promise 15
async def test_a_store_that_went_back_in_time_is_told_as_a_reset(scene: Scene) -> None:
    scene.write("a", b"1")
    await scene.publish()
    assert scene.held.record is not None
    scene.held.record = replace(scene.held.record, epoch="f")
    scene.write("a", b"old")
    scene.reread()
    (event,) = await scene.publish()
    assert (event.kind, event.epoch, event.count, event.changes) == ("reset", "f", 1, ())
    assert scene.view.entries["a"].value == b"old"


# promise 15
async def test_a_store_that_went_back_without_a_new_epoch_is_told_as_a_reset_once(scene: Scene) -> None:
    """A node that may not write, because it is paused or stands by, cannot give it one."""
    scene.write("a", b"1")
    await scene.publish()
    older = dict(scene.held.live)
    scene.write("a", b"2")
    first = await scene.publish()
    scene.held = Held(Mirror(older), scene.held.record, scene.held.index, scene.index)
    (event,) = await scene.publish()
    assert (event.kind, event.epoch, scene.view.entries["a"].value) == ("reset", "e", b"1")
    assert event.id not in [each.id for each in first]
    scene.reread()
    assert await scene.publish() == []
    scene.write("a", b"3")
    assert [each.kind for each in await scene.publish()] == ["foreign"]


async def test_a_reset_while_this_node_was_down(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.publish()
        held = scene.held
    async with opened(tmp_path) as scene:
        assert held.record is not None
        scene.held = held
        scene.held.record = replace(held.record, epoch="f")
        assert [each.kind for each in await scene.publish()] == ["reset"]
        assert scene.view.ready
        scene.held.index += 1
        scene.write("a", b"1")
        await scene.publish()
    async with opened(tmp_path) as scene:
        scene.held = replace(held, index=held.index - 1)
        assert [each.kind for each in await scene.publish()] == ["reset"], "the record is older than it was"


# promise 15
async def test_what_the_journal_did_not_take_is_told_later(scene: Scene, tmp_path: Path) -> None:
    await scene.publish()
    scene.write("a", b"1")
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere")
    with pytest.raises(StateError):
        await scene.publish()
    assert scene.view.entries == {}
    scene.write("b", b"1")
    (tmp_path / "elsewhere").rename(tmp_path / "journal.db")
    (event,) = await scene.publish()
    assert keys(event) == ["a", "b"]


# promise 12
async def test_a_secret_is_told_as_a_hash_and_stays_one_when_it_is_gone(scene: Scene) -> None:
    await scene.publish()
    scene.tree("c2", hidden="token: hunter2\n", rules="rules:\n- match: hidden.yaml\n  secret: true\n")
    scene.write("hidden/token", b"hunter2", flags=MARK)
    scene.apply("c2", "hidden/token")
    (event,) = await scene.publish()
    assert (event.changes[0].new, event.changes[0].secret) == (None, True)
    assert scene.view.secrets == {"hidden/token"}
    scene.tree("c3")
    scene.write("hidden/token", None)
    scene.apply("c3", "hidden/token")
    (event,) = await scene.publish()
    assert (event.changes[0].old, event.changes[0].secret) == (None, True)
    assert scene.view.secrets == set()


# promise 12
async def test_on_a_node_that_lacks_the_commit_marked_values_are_not_shown(scene: Scene) -> None:
    await scene.publish()
    scene.write("a", b"1", flags=MARK)
    scene.write("theirs", b"1")
    scene.apply("c2", "a")
    ours, foreign = await scene.publish()
    assert (ours.changes[0].new, ours.changes[0].secret) == (None, True)
    assert (foreign.changes[0].new, foreign.changes[0].secret) == (None, True), "a rule may name this, too"
    scene.tree("c2", a="b: 1\n")
    await scene.publish()
    assert scene.view.secrets == {"a"}, "marked, and not said by that commit"


# promise 12
async def test_a_key_that_becomes_a_secret_without_a_new_value_is_hidden_from_then_on(scene: Scene) -> None:
    scene.tree("c2", api="token: hunter2\n")
    await scene.publish()
    scene.write("api/token", b"hunter2", flags=MARK)
    scene.apply("c2", "api/token")
    (event,) = await scene.publish()
    assert event.changes[0].new == b"hunter2"
    scene.tree("c3", api="token: hunter2\n", rules="rules:\n- match: api.yaml\n  secret: true\n")
    scene.apply("c3")
    assert await scene.publish() == []
    assert scene.view.secrets == {"api/token"}
    assert (await scene.journal.published())["api/token"].secret
    kept = await scene.journal.events(event.seq - 1, event.seq)
    assert kept is not None
    assert kept[0].changes[0].new is None, "nor does it stay in the journal"
    scene.tree("c4", api="token: hunter2\n")
    scene.apply("c4")
    await scene.publish()
    assert scene.view.secrets == set()


SECRET: Final = "rules:\n- match: api.yaml\n  secret: true\n"


async def kept_values(scene: Scene) -> set[bytes]:
    """Return every value that the journal's events hold."""
    kept = await scene.journal.events(0, scene.journal.head.seq)
    assert kept is not None
    return {value for event in kept for change in event.changes for value in (change.old, change.new) if value}


# promise 12
@pytest.mark.parametrize("value", [b"hunter2", b"hunter3"])
async def test_what_became_a_secret_while_this_node_was_down_leaves_the_journal_too(
    tmp_path: Path, value: bytes
) -> None:
    async with opened(tmp_path) as scene:
        await scene.publish()
        scene.tree("c2", api="token: hunter2\n")
        scene.write("api/token", b"hunter2", flags=MARK)
        scene.apply("c2", "api/token")
        await scene.publish()
        held, index = scene.held, scene.index
    async with opened(tmp_path) as scene:
        scene.held, scene.index = held, index
        scene.tree("c3", api=f"token: {value.decode()}\n", rules=SECRET)
        scene.write("api/token", value, flags=MARK)
        scene.apply("c3", "api/token")
        await scene.publish()
        assert await kept_values(scene) == set()
        assert (await scene.journal.published())["api/token"].secret


# promise 12
async def test_what_the_journal_could_not_take_out_is_taken_out_later(scene: Scene, tmp_path: Path) -> None:
    await scene.publish()
    scene.tree("c2", api="token: hunter2\n")
    scene.write("api/token", b"hunter2", flags=MARK)
    scene.apply("c2", "api/token")
    await scene.publish()
    scene.tree("c3", api="token: hunter2\n", rules=SECRET)
    scene.apply("c3")
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere")
    with pytest.raises(StateError):
        await scene.publish()
    (tmp_path / "elsewhere").rename(tmp_path / "journal.db")
    await scene.publish()
    assert await kept_values(scene) == set()


# promise 15
async def test_a_commit_that_this_node_lacks_for_a_while_takes_no_value_out_of_the_journal(scene: Scene) -> None:
    await scene.publish()
    scene.tree("c2", api="token: hunter2\n", brain="model: a\n")
    scene.write("api/token", b"hunter2", flags=MARK)
    scene.write("brain/model", b"a", flags=MARK)
    scene.apply("c2", "api/token", "brain/model")
    await scene.publish()
    scene.apply("c3")
    await scene.publish()
    assert scene.view.secrets == {"api/token", "brain/model"}, "any may be one"
    assert await kept_values(scene) == {b"hunter2", b"a"}
    scene.tree("c3", api="token: hunter2\n", brain="model: a\n", rules=SECRET)
    await scene.publish()
    assert scene.view.secrets == {"api/token"}
    assert await kept_values(scene) == {b"a"}


# promise 15
async def test_an_epoch_that_comes_back_is_told_under_ids_of_its_own(scene: Scene) -> None:
    await scene.publish()
    assert scene.held.record is not None
    found = []
    for epoch in ("f", "e", "f"):
        scene.held.record = replace(scene.held.record, epoch=epoch)
        scene.reread()
        found += await scene.publish()
    assert [each.kind for each in found] == ["reset"] * 3
    assert len({each.id for each in found}) == 3
