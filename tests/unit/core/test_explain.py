"""What a key is, in the words of the design."""

import pytest

from syncd.core.desired import DesiredKey, StoredBaseKey
from syncd.core.explain import State, is_secret, state_of
from syncd.core.live import Entry
from syncd.core.rules import Rules
from tests.support.planning import LOCKED, OURS, THEIRS, based, have, plan, record, want

Case = tuple[str, DesiredKey | None, Entry | None, StoredBaseKey | None]

CASES: dict[State, list[Case]] = {
    State.IN_SYNC: [("a", want("1"), have("1"), based("1"))],
    State.NEW: [("a", want("1"), None, None)],
    State.CHANGED: [("a", want("2"), have("1"), based("1")), ("a", want("2"), have("1"), None)],
    State.GONE: [("a", None, have("1"), based("1"))],
    State.MISSING: [("a", want("1"), None, based("1"))],
    State.DRIFT: [("a", want("1"), have("2"), based("1")), ("a", want("1"), have("2", 0), based("1"))],
    State.REPORTED: [
        ("a", want("1", drift="report"), have("2"), based("1")),
        ("a", want("1", drift="report"), None, based("1")),
    ],
    State.UNMARKED: [("a", want("1"), have("1", 0), based("1"))],
    State.FOREIGN: [("a", None, have("1", 0), None)],
    State.IN_THE_WAY: [("a", want("1"), have("2", 0), None)],
    State.ORPHAN: [("a", None, have("1", 0), based("1"))],
    State.LOCKED: [
        ("a", want("1"), have("2", session="s"), None),
        ("a", want("1"), have("2", LOCKED), based("1")),
        ("a", None, have("1", session="s"), based("1")),
        ("a", None, have("1", LOCKED), based("1")),
    ],
    State.OTHERS: [("a", want("1"), have("2", THEIRS), None), ("a", None, have("1", THEIRS), based("1"))],
    State.KEPT: [("kept/a", None, have("1"), based("1"))],
    State.IGNORED: [("ignored/a", None, have("1"), based("1"))],
}


@pytest.mark.parametrize(("state", "case"), [(state, case) for state, cases in CASES.items() for case in cases])
def test_a_key_is_named_by_git_store_and_base(state: State, case: Case) -> None:
    key, wanted, live, base = case
    made = plan(
        {key: wanted} if wanted else {},
        {key: live} if live else {},
        {key: base} if base else {},
        record=record(),
    )
    assert state_of(key, made, live, base, OURS) is state


def test_a_marked_key_that_no_record_explains_is_withheld() -> None:
    made = plan({}, {"a": have("1")}, record=None)
    assert state_of("a", made, have("1"), None, OURS) is State.WITHHELD


def test_every_state_is_reached() -> None:
    assert {*CASES, State.WITHHELD} == set(State)


RULES = Rules.parse(b"rules: [{match: '*', secret: ['*/token']}]", None)


@pytest.mark.parametrize(
    ("key", "flags", "state", "hidden"),
    [
        ("stranger/name", 0, State.FOREIGN, False),
        ("stranger/token", 0, State.FOREIGN, True),
        ("stranger/name", THEIRS, State.FOREIGN, True),
        ("stranger/name", OURS, State.WITHHELD, True),
        ("stranger/name", 0, State.ORPHAN, True),
    ],
)
def test_a_strangers_value_is_shown_unless_the_rules_would_hide_it(
    key: str, flags: int, state: State, hidden: bool
) -> None:
    assert is_secret(key, have("1", flags), None, None, state, RULES) is hidden


def test_what_git_or_base_calls_a_secret_is_hidden() -> None:
    assert is_secret("a", have("1"), want("1", secret=True), based("1"), State.IN_SYNC, Rules())
    assert is_secret("a", have("2"), want("1"), based("1", secret=True), State.DRIFT, Rules())
    assert not is_secret("a", have("2"), want("1"), based("1"), State.DRIFT, Rules())
