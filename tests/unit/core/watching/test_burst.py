"""When a burst of changes counts as over, and when a writer counts as a rival."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.burst import LONGEST_SECONDS, QUIET_SECONDS, Burst
from syncd.core.rivals import FREE_HEALS, LONGEST_REST, Rest, Rivals
from syncd.core.rivals import QUIET_SECONDS as FORGIVEN


def test_a_single_change_is_looked_at_once_it_is_quiet() -> None:
    assert Burst(10.0, 10.0).due == 10.0 + QUIET_SECONDS


def test_another_change_puts_the_look_off_until_that_would_be_too_long() -> None:
    burst = Burst(10.0, 10.0).more(10.04)
    assert burst.due == 10.04 + QUIET_SECONDS
    assert burst.more(10.49).due == 10.0 + LONGEST_SECONDS


@given(st.lists(st.floats(0, 2), min_size=1))
def test_a_burst_waits_for_quiet_but_not_for_ever(gaps: list[float]) -> None:
    now, burst = 0.0, Burst(0.0, 0.0)
    for gap in gaps:
        now += gap
        burst = burst.more(now)
    assert burst.due <= LONGEST_SECONDS
    assert burst.due >= min(LONGEST_SECONDS, QUIET_SECONDS)


def test_an_edit_or_two_are_healed_at_once() -> None:
    rivals = Rivals()
    assert [rivals.heal(["k"], float(now)) for now in range(FREE_HEALS)] == [()] * FREE_HEALS
    assert rivals.resting(float(FREE_HEALS)) == frozenset()


def test_a_rival_is_healed_ever_more_seldom_and_others_are_not_held_up() -> None:
    rivals, now, rests = Rivals(), 0.0, list[Rest]()
    for _ in range(20):
        found = rivals.heal(["k"], now)
        rests += found
        assert rivals.resting(now) == frozenset(rest.key for rest in found)
        assert rivals.next_end(now) == (now + found[0].seconds if found else None)
        now += found[0].seconds if found else 0.0
        assert rivals.resting(now) == frozenset()
    assert [rest.heals for rest in rests] == list(range(FREE_HEALS + 1, 21))
    seconds = [rest.seconds for rest in rests]
    assert seconds == sorted(seconds)
    assert seconds[-1] == LONGEST_REST
    assert rivals.heal(["other"], now) == ()


def test_a_rival_that_gave_up_is_forgotten() -> None:
    rivals, now = Rivals(), 0.0
    for _ in range(6):
        now += sum(rest.seconds for rest in rivals.heal(["k"], now))
    assert rivals.heal(["k"], now + FORGIVEN + 1) == ()
