"""When a failed delivery is tried again, and that no sequence leaves the table of states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.delivery import NEWS_SECONDS, SCHEDULE, TABLE, DeliveryEvent, DeliveryState, Retry, due, failed

DAYS_3 = 3 * 86_400


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert SCHEDULE[:3] == (5.0, 300.0, 1800.0)
    assert sum(SCHEDULE) > DAYS_3


def test_tries_follow_the_schedule_with_jitter_until_it_is_over() -> None:
    retry, now, tries = failed(None, 0.0, 0.5), 0.0, 1
    while retry is not None:
        assert retry.planned - now == pytest.approx(SCHEDULE[retry.step - 1])
        now, tries = retry.planned, tries + 1
        retry = failed(retry, now, 0.5)
    assert tries == len(SCHEDULE) + 1


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_by_a_tenth_either_way(draw: float) -> None:
    retry = failed(None, 0.0, draw)
    assert retry is not None
    assert 4.5 <= retry.planned <= 5.5


def test_news_is_tried_soon_and_does_not_use_up_the_schedule() -> None:
    first = failed(None, 0.0, 0.5)
    assert first is not None
    second = failed(first, first.planned, 0.5)
    assert second is not None
    soon = due(second, second.last, news=True)
    assert soon == second.last + NEWS_SECONDS < second.planned
    early = failed(second, soon, 0.5)
    assert early is not None
    assert (early.step, early.planned, early.tries) == (second.step, second.planned, 3)


def test_a_subscriber_that_asked_for_rest_gets_it_even_when_there_is_news() -> None:
    retry = failed(None, 100.0, 0.5, asked=60.0)
    assert retry is not None
    assert due(retry, 100.0, news=True) == due(retry, 100.0, news=False) == 160.0


@given(st.floats(0, 1e6), st.booleans())
def test_a_clock_set_back_makes_nobody_wait_longer_than_was_planned(back: float, news: bool) -> None:
    retry = Retry(1, 1, last=1e9, planned=1e9 + 5)
    now = 1e9 - back
    assert due(retry, now, news=news) - now <= 5.0 + 1e-6


@given(st.lists(st.sampled_from(DeliveryEvent)))
def test_no_sequence_of_events_leaves_the_table(events: list[DeliveryEvent]) -> None:
    state = DeliveryState.IDLE
    for event in events:
        if event in TABLE[state]:
            state = TABLE[state][event]
        assert state in TABLE


def test_every_state_can_be_reached_and_left() -> None:
    assert set(TABLE) == set(DeliveryState)
    reached = {state for moves in TABLE.values() for state in moves.values()}
    assert reached == set(DeliveryState)
    for state, moves in TABLE.items():
        assert {*moves.values()} - {state}, state
