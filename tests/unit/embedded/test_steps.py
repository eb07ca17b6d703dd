"""The state as a pure machine: steps, their undoing, and what time does."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.embedded import sessions
from syncd.embedded.apply import apply
from syncd.embedded.duration import nanoseconds
from syncd.embedded.errors import Invalid, Lost
from syncd.embedded.records import Session
from syncd.embedded.state import Image, State
from syncd.embedded.step import Step
from syncd.embedded.verbs import Operation

MINUTES = 60.0


@pytest.fixture
def state() -> State:
    return State(Image(), now=0.0)


def do(state: State, verb: str, key: str, now: float = 0.0, **fields: Any) -> None:
    outcome = apply(state, [Operation(verb, key, **fields)], now)
    assert not outcome.failures


def make_session(state: State, now: float = 0.0, **fields: Any) -> Session:
    session, _ = sessions.create(state, sessions.Request(**fields), now)
    return session


keys = st.text("ab/", min_size=1, max_size=3)
changes = st.one_of(
    st.builds(Operation, st.just("set"), keys, st.sampled_from([b"", b"x"]), st.integers(0, 1)),
    st.builds(Operation, st.sampled_from(["delete", "delete-tree"]), keys),
)


@given(st.lists(changes), st.lists(changes))
def test_a_failed_step_leaves_no_trace_but_its_index(before: list[Operation], tried: list[Operation]) -> None:
    state = State(Image(), now=0.0)
    apply(state, before, 0.0)
    kept = everything(state)
    outcome = apply(state, [*tried, Operation("get", "missing")], 1.0)
    assert [type(failure) for _, failure in outcome.failures] == [Lost]
    assert not outcome.changes
    assert everything(state) == kept


def everything(state: State) -> object:
    entries = zip(state.entries.keys(b""), state.entries.values(b""), strict=True)
    tombstones = zip(state.tombstones.keys(b""), state.tombstones.values(b""), strict=True)
    return deepcopy((dict(entries), dict(tombstones), state.buried_at, state.locked, state.indexes.keys))


def test_an_index_that_a_failure_named_is_not_used_again(state: State) -> None:
    failed = apply(state, [Operation("set", "a"), Operation("check-index", "a", index=7)], 0.0)
    assert str(failed.failures[0][1]).endswith("current modify index 2 != 7")
    do(state, "set", "a")
    assert state.get(b"a")[0] == 3


def test_the_first_write_is_above_the_index_of_an_empty_store(state: State) -> None:
    empty, _ = state.below(b"")
    do(state, "set", "a")
    assert state.below(b"")[0] > empty > 0


def test_a_tombstone_holds_the_index_of_a_prefix_up_for_15_minutes(state: State) -> None:
    do(state, "set", "a/1")
    do(state, "set", "a/2")
    do(state, "delete", "a/2", now=1 * MINUTES)
    deleted, _ = state.below(b"a/")
    assert state.stale_tombstones(15.9 * MINUTES) == []
    assert state.stale_tombstones(16 * MINUTES) == [b"a/2"]
    step = Step(state, 16 * MINUTES)
    step.reap(b"a/2")
    assert step.keep().tombstones == {b"a/2": None}
    assert state.below(b"a/")[0] < deleted
    assert state.below(b"")[0] == deleted


def test_a_key_that_died_twice_is_remembered_from_its_last_death(state: State) -> None:
    for minute in (0, 10):
        do(state, "set", "a", minute * MINUTES)
        do(state, "delete", "a", minute * MINUTES)
    assert state.stale_tombstones(15 * MINUTES) == []
    assert state.stale_tombstones(25 * MINUTES) == [b"a"]


def test_a_session_lives_for_twice_its_ttl_after_its_last_renewal(state: State) -> None:
    session = make_session(state, ttl="10s")
    sessions.extend(state, session, 15.0)
    assert state.expired(34.9) == []
    assert state.expired(35.0) == [session.id]


def test_a_session_without_a_ttl_lives_for_ever(state: State) -> None:
    make_session(state)
    make_session(state, ttl="0s")
    assert state.expired(1e12) == []


@pytest.mark.parametrize(("asked", "seconds"), [("1s", 1.0), ("15s", 15.0), ("5m", 60.0)])
def test_a_lock_delay_ends_after_a_minute_at_most(state: State, asked: str, seconds: float) -> None:
    delay = nanoseconds(asked)
    first, second = make_session(state, lock_delay=delay), make_session(state)
    do(state, "lock", "a", session=first.id)
    sessions.destroy(state, first.id, 100.0)
    early = apply(state, [Operation("lock", "a", session=second.id)], 100.0 + seconds - 0.1)
    assert [type(failure) for _, failure in early.failures] == [Lost]
    do(state, "lock", "a", now=100.0 + seconds, session=second.id)


def test_destroying_a_session_changes_all_that_it_held_at_one_index(state: State) -> None:
    session = make_session(state, behavior="delete")
    for key in ("a", "b"):
        do(state, "lock", key, session=session.id)
    do(state, "set", "c")
    changes = sessions.destroy(state, session.id, 0.0)
    assert changes.entries == {b"a": None, b"b": None}
    assert changes.tombstones == {b"a": state.indexes.last, b"b": state.indexes.last}
    assert changes.sessions == {session.id: None}


def test_destroying_nothing_changes_nothing(state: State) -> None:
    assert not sessions.destroy(state, "unknown", 0.0)


def test_get_or_empty_shows_an_empty_entry_for_a_missing_key(state: State) -> None:
    do(state, "set", "a", value=b"x")
    outcome = apply(state, [Operation("get-or-empty", "a"), Operation("get-or-empty", "b")], 0.0)
    assert [(entry.key, entry.value, entry.modify_index) for entry in outcome.entries] == [
        ("a", b"x", 2),
        ("b", None, 0),
    ]


def test_the_whole_tree_may_be_deleted_and_leaves_no_tombstone(state: State) -> None:
    do(state, "set", "a")
    do(state, "delete-tree", "")
    assert state.below(b"") == (3, [])
    assert len(state.tombstones) == 0


def test_keys_are_quoted_in_errors(state: State) -> None:
    outcome = apply(state, [Operation("get", 'a"b\\c')], 0.0)
    assert str(outcome.failures[0][1]) == 'key "a\\"b\\\\c" doesn\'t exist'


def test_an_unknown_verb_is_invalid(state: State) -> None:
    ((at, failure),) = apply(state, [Operation("bogus", "a")], 0.0).failures
    assert (at, type(failure)) == (0, Invalid)
