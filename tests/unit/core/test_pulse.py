"""Which loops come round, and which are late."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.pulse import Pulses


def test_a_loop_is_late_once_its_time_is_over_and_not_sooner() -> None:
    pulses = Pulses()
    pulses.expect("git", 10.0)
    assert pulses.late(10.0) == {}
    assert pulses.late(12.5) == {"git": 2.5}


def test_coming_round_makes_good_for_being_late() -> None:
    pulses = Pulses()
    pulses.expect("git", 10.0)
    pulses.expect("git", 20.0)
    assert pulses.late(15.0) == {}


def test_a_loop_that_rests_is_never_late() -> None:
    pulses = Pulses()
    pulses.rest("git")
    pulses.expect("git", 10.0)
    pulses.rest("git")
    assert pulses.late(1e9) == {}


def test_after_the_end_nothing_is_expected_of_anybody() -> None:
    pulses = Pulses()
    pulses.expect("git", 10.0)
    pulses.expect("lease", 10.0)
    pulses.clear()
    assert pulses.late(1e9) == {}


# promise 18
@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 99)))), st.integers(0, 99))
def test_one_loop_s_progress_never_hides_that_another_is_stuck(history: list[tuple[str, int | None]], now: int) -> None:
    pulses, last = Pulses(), dict[str, int | None]()
    for loop, due in history:
        pulses.rest(loop) if due is None else pulses.expect(loop, due)
        last[loop] = due
    assert pulses.late(now) == {loop: now - due for loop, due in last.items() if due is not None and due < now}
