"""When a store has gone back in time, as far as its control record tells."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.epochs import Epochs


def test_whoever_has_seen_nothing_takes_any_record() -> None:
    assert not Epochs().is_back("a", 7)


def test_a_record_at_a_lower_index_of_its_epoch_is_older() -> None:
    epochs = Epochs()
    epochs.note("a", 7)
    assert [epochs.is_back("a", index) for index in (6, 7, 8)] == [True, False, False]


def test_what_stood_before_a_restart_is_remembered_if_told() -> None:
    epochs = Epochs()
    epochs.expect("a", 7)
    assert epochs.is_back("a", 6)


def test_an_epoch_that_is_over_does_not_come_back_by_itself() -> None:
    epochs = Epochs()
    epochs.expect("a", 7)
    epochs.note("b", 3)
    assert epochs.is_back("a", 100)
    assert not epochs.is_back("b", 3)


def test_a_new_epoch_may_begin_at_any_index() -> None:
    epochs = Epochs()
    epochs.note("a", 7)
    assert not epochs.is_back("b", 1)


@given(st.lists(st.integers(1, 99), min_size=1))
def test_a_store_that_only_moves_on_is_never_taken_for_one_that_went_back(steps: list[int]) -> None:
    epochs, index = Epochs(), 0
    for step in steps:
        index += step
        assert not epochs.is_back("a", index)
        epochs.note("a", index)
