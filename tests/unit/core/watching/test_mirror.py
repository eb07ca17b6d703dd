"""The mirror becomes what the store is, whatever the order in which answers come."""

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from syncd.core.cursor import Cursor
from syncd.core.live import Entry
from syncd.core.mirror import Mirror, Observed
from syncd.core.shards import WHOLE, Shard

A, B, BESIDE = Shard("a/"), Shard("b/"), Shard("a", exact=True)
KEYS = ["a", "a/1", "a/2", "a/3", "b/1", "b/2"]
SHARDS = [A, B, BESIDE]


def entry(index: int, value: bytes = b"v") -> Entry:
    return Entry(value, 0, index)


def test_a_newer_entry_is_news_and_an_older_one_is_not() -> None:
    mirror = Mirror({"a/1": entry(5)})
    assert mirror.merge(A, {"a/1": entry(6)}, 6) == (Observed("a/1", entry(5), entry(6)),)
    assert mirror.merge(A, {"a/1": entry(5)}, 5) == ()
    assert mirror.entries == {"a/1": entry(6)}


def test_what_an_answer_lacks_is_deleted() -> None:
    mirror = Mirror({"a/1": entry(5), "b/1": entry(5)})
    assert mirror.merge(A, {}, 6) == (Observed("a/1", entry(5), None),)
    assert mirror.entries == {"b/1": entry(5)}


def test_an_own_delete_is_proved_only_by_an_answer_that_is_no_older_than_what_was_deleted() -> None:
    mirror, older = Mirror({"a/1": entry(5)}), {"a/1": entry(5)}
    mirror.remove("a/1", 5)
    assert mirror.merge(A, {}, 4) == (), "from before the key was there"
    assert mirror.merge(A, older, 7) == (), "the delete may have come after that"
    assert mirror.merge(A, {}, 8) == ()
    assert mirror.merge(A, older, 9) is None, "a store that has gone back in time"


def test_what_an_answer_is_too_old_to_know_is_not_deleted() -> None:
    mirror = Mirror({})
    mirror.enter({"a/1": entry(9)})
    assert mirror.merge(A, {}, 8) == ()
    assert mirror.entries == {"a/1": entry(9)}


def test_an_own_write_does_not_hide_a_newer_one_that_was_seen_first() -> None:
    mirror = Mirror({})
    mirror.merge(A, {"a/1": entry(9)}, 9)
    mirror.enter({"a/1": entry(8)})
    mirror.remove("a/1", 8)
    assert mirror.entries == {"a/1": entry(9)}


def test_an_own_delete_is_not_undone_by_an_older_answer_but_by_a_new_write() -> None:
    mirror = Mirror({"a/1": entry(5)})
    mirror.remove("a/1", 5)
    assert mirror.merge(A, {"a/1": entry(5)}, 5) == ()
    assert mirror.entries == {}
    assert mirror.merge(A, {"a/1": entry(7)}, 7) == (Observed("a/1", None, entry(7)),)


def test_a_list_that_was_read_later_and_shows_what_stood_before_tells_that_the_store_went_back() -> None:
    mirror = Mirror({"a/1": entry(5), "a/2": entry(5), "b/1": entry(5)})
    mirror.remove("a/2", 5)
    assert not mirror.is_newer({"a/1": entry(5), "a/2": entry(7), "b/2": entry(1)})
    assert not mirror.is_newer({}), "what is missing may have been deleted"
    assert mirror.is_newer({"a/1": entry(4)})
    assert mirror.is_newer({"a/2": entry(5)}), "it was deleted"


def test_a_key_whose_index_fell_tells_that_the_store_went_back_and_changes_nothing() -> None:
    mirror = Mirror({"a/1": entry(5), "a/2": entry(3)})
    assert mirror.merge(A, {"a/1": entry(4), "a/2": entry(8)}, 8) is None
    assert mirror.entries == {"a/1": entry(5), "a/2": entry(3)}


def test_a_deleted_key_that_is_back_as_it_was_tells_that_the_store_went_back() -> None:
    mirror = Mirror({"a/1": entry(5)})
    assert mirror.merge(A, {}, 6)
    assert mirror.merge(A, {"a/1": entry(5)}, 9) is None
    mirror = Mirror({"a/1": entry(5)})
    mirror.remove("a/1", 5)
    assert mirror.merge(A, {}, 6) == ()
    assert mirror.merge(A, {"a/1": entry(5)}, 9) is None


def test_keys_stay_sorted_through_few_and_many_changes() -> None:
    mirror = Mirror({f"a/{number:03}": entry(1) for number in reversed(range(10))})
    assert list(mirror.keys()) == sorted(mirror.entries)
    mirror.remove("a/003", 1)
    mirror.enter({"a/0031": entry(2)})
    mirror.enter({"b": entry(2)})
    mirror.remove("b", 2)
    mirror.remove("a/004", 1)
    mirror.enter({"a/004": entry(3)})
    assert list(mirror.keys()) == sorted(mirror.entries)
    for number in range(200):
        mirror.enter({f"c/{number}": entry(4)})
    assert list(mirror.keys()) == sorted(mirror.entries)


class State(msgspec.Struct, frozen=True):
    """The store at one moment."""

    index: int
    live: dict[str, Entry]
    graves: dict[str, int]

    def answer(self, shard: Shard) -> tuple[dict[str, Entry], int]:
        """Answer a query as Consul does: the highest index of the shard's keys and graves, else the table's."""
        found = {key: entry for key, entry in self.live.items() if shard.holds(key)}
        graves = [index for key, index in self.graves.items() if shard.holds(key) and not shard.exact]
        return found, max([*graves, *(entry.index for entry in found.values())], default=self.index)


keys, values, shards = st.sampled_from(KEYS), st.sampled_from([b"1", b"2"]), st.sampled_from(SHARDS)


class Watching(RuleBasedStateMachine):
    """A store, strangers, own writes, and one watch for each shard, whose answers come late and of different age."""

    def __init__(self) -> None:
        super().__init__()
        self.history = [State(1, {}, {})]
        self.mirror = Mirror({})
        self.shadow: dict[str, Entry] = {}
        self.own: list[tuple[str, Entry | None, int]] = []
        self.flying: dict[Shard, list[State]] = {shard: [] for shard in SHARDS}
        self.cursors = {shard: Cursor(1) for shard in SHARDS}
        self.asked = dict.fromkeys(SHARDS, 0)
        self.reset = False
        self.restored = 0

    @property
    def now(self) -> State:
        return self.history[-1]

    def write(self, key: str, value: bytes | None) -> None:
        index, live, graves = self.now.index + 1, dict(self.now.live), dict(self.now.graves)
        if value is None:
            if live.pop(key, None) is not None:
                graves[key] = index
        else:
            live[key] = Entry(value, 0, index)
        self.history.append(State(index, live, graves))

    @initialize(start=st.dictionaries(keys, values))
    def begin(self, start: dict[str, bytes]) -> None:
        for key, value in start.items():
            self.write(key, value)
        self.mirror = Mirror(dict(self.now.live))
        self.shadow = dict(self.now.live)
        self.cursors = {shard: Cursor(self.now.index) for shard in SHARDS}
        self.asked = dict.fromkeys(SHARDS, len(self.history) - 1)

    @rule(key=keys, value=values | st.none())
    def stranger_writes(self, key: str, value: bytes | None) -> None:
        self.write(key, value)

    @rule(key=keys, value=values)
    def we_write(self, key: str, value: bytes) -> None:
        if self.mirror.entries.get(key) == self.now.live.get(key):  # else the compare-and-set fails
            self.write(key, value)
            self.own.append((key, self.now.live[key], 0))

    @precondition(lambda self: self.mirror.entries)
    @rule(data=st.data())
    def we_delete(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.mirror.entries)))
        before = self.mirror.entries[key]
        if before == self.now.live.get(key):
            self.write(key, None)
            self.own.append((key, None, before.index))

    @precondition(lambda self: self.own)
    @rule()
    def our_answer_comes(self) -> None:
        key, after, seen = self.own.pop(0)
        if after is not None:
            self.mirror.enter({key: after})
        else:
            self.mirror.remove(key, seen)
        self.shadow = dict(self.mirror.entries)

    @rule(shard=shards, data=st.data())
    def a_watch_is_answered(self, shard: Shard, data: Any) -> None:
        """Answer now or as of a while ago, but never older than the answer before; it arrives later."""
        at = data.draw(st.integers(self.asked[shard], len(self.history) - 1))
        self.asked[shard] = at
        self.flying[shard].append(self.history[at])

    @precondition(lambda self: any(self.flying.values()))
    @rule(data=st.data())
    def an_answer_arrives(self, data: Any) -> None:
        shard = data.draw(st.sampled_from([shard for shard in SHARDS if self.flying[shard]]))
        self.take(shard, self.flying[shard].pop(0))

    def take(self, shard: Shard, state: State) -> None:
        found, index = state.answer(shard)
        changed = self.mirror.merge(shard, found, index)
        cursor, seen = self.cursors[shard].observe(index, early=False, contradicted=changed is None)
        self.reset = self.reset or seen == "reset"
        self.cursors[shard] = cursor
        for each in changed or ():
            assert self.shadow.get(each.key) == each.before
            assert each.before != each.after
            if each.after is None:
                assert each.before is not None
                gone = [state for state in self.history if each.key not in state.live]
                assert any(state.index >= each.before.index for state in gone), "a delete that never was"
                del self.shadow[each.key]
            else:
                self.shadow[each.key] = each.after

    @invariant()
    def every_change_was_told(self) -> None:
        assert self.shadow == self.mirror.entries
        assert list(self.mirror.keys()) == sorted(self.mirror.entries)

    def teardown(self) -> None:
        while self.own:
            self.our_answer_comes()
        for shard in SHARDS:
            for state in [*self.flying[shard], self.now]:
                self.take(shard, state)
        self.every_change_was_told()
        if not self.restored:
            assert not self.reset, "nothing went back"
        assert self.reset or self.mirror.entries == self.now.live


class Restoring(Watching):
    """The same, but once an older snapshot is restored, which writes right after it may hide."""

    @precondition(lambda self: not self.restored and not self.own and len(self.history) > 2)
    @rule(data=st.data())
    def an_older_snapshot_is_restored(self, data: Any) -> None:
        for shard in SHARDS:  # our watches know all that was before: what they do not know is not lost by the restore
            for state in [*self.flying[shard], self.now]:
                self.take(shard, state)
            self.flying[shard].clear()
        old = data.draw(st.sampled_from(self.history[:-1]))
        self.history = [State(self.now.index + 1, old.live, old.graves)]
        self.asked = dict.fromkeys(SHARDS, 0)
        self.restored = self.now.index
        self.woken = set(SHARDS)

    def take(self, shard: Shard, state: State) -> None:
        """The first answer after the restore comes early."""
        if self.restored and shard in self.woken:
            self.woken.discard(shard)
            _, index = state.answer(shard)
            self.reset = self.reset or self.cursors[shard].observe(index, early=True)[1] == "reset"
        if not self.reset:
            super().take(shard, state)

    def teardown(self) -> None:
        while self.own:
            self.our_answer_comes()
        for shard in SHARDS:
            for state in [*self.flying[shard], self.now]:
                self.take(shard, state)
        assert self.reset or self.mirror.entries == self.now.live


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRestoring = Restoring.TestCase
TestRestoring.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_a_full_list_is_an_answer_about_everything() -> None:
    mirror = Mirror({"a/1": entry(5), "b/1": entry(6)})
    changed = mirror.merge(WHOLE, {"b/1": entry(6), "c": entry(7)}, 7)
    assert changed == (Observed("c", None, entry(7)), Observed("a/1", entry(5), None))
