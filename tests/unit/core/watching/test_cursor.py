"""What an answer's index means after the one before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.cursor import TABLE, Cursor, CursorEvent, CursorState


def known(index: int) -> Cursor:
    return Cursor(index, CursorState.KNOWN)


@pytest.mark.parametrize(
    ("index", "early", "seen"),
    [(8, True, "changed"), (8, False, "changed"), (7, False, "nothing"), (7, True, "reset"), (6, False, "reset")],
)
def test_only_a_grown_index_or_a_quiet_wait_keeps_a_watch_going(index: int, early: bool, seen: str) -> None:
    assert known(7).observe(index, early=early)[1] == seen


def test_a_watch_that_begins_with_the_index_of_a_wider_list_takes_its_own_lower_one() -> None:
    cursor, seen = Cursor(100).observe(7, early=False)
    assert (cursor, seen) == (known(7), "changed")


def test_an_early_answer_without_a_grown_index_is_no_first_answer_either() -> None:
    assert Cursor(100).observe(7, early=True)[1] == "reset"


def test_a_key_whose_own_index_fell_resets_whatever_the_index_says() -> None:
    assert known(7).observe(8, early=True, contradicted=True)[1] == "reset"


@given(st.sampled_from(CursorState), st.sampled_from(CursorEvent))
def test_the_table_has_every_move(state: CursorState, event: CursorEvent) -> None:
    assert TABLE[state][event] in CursorState


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans())))
def test_a_lost_watch_stays_lost_and_a_known_one_never_goes_back(answers: list[tuple[int, bool]]) -> None:
    cursor = known(5)
    for index, early in answers:
        after, seen = cursor.observe(index, early=early)
        assert (after.state is CursorState.LOST) == (seen == "reset")
        assert seen == "reset" or after.index >= cursor.index
        assert cursor.state is not CursorState.LOST or seen == "reset"
        cursor = after
