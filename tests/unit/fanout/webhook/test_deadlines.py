"""Deadlines on a clock that a test turns."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.fanout.webhook.deadlines import Deadlines


class Clock:
    """A loop's clock with its timers; ``turn`` lets time pass."""

    class Timer:
        def __init__(self, when: float, callback: Callable[[], object]) -> None:
            self.when = when
            self.callback = callback
            self.live = True

        def cancel(self) -> None:
            self.live = False

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Clock.Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> "Clock.Timer":
        self.timers.append(Clock.Timer(when, callback))
        return self.timers[-1]

    @property
    def live(self) -> list["Clock.Timer"]:
        return sorted((timer for timer in self.timers if timer.live), key=lambda timer: timer.when)

    def turn(self, to: float) -> None:
        while self.live and self.live[0].when <= to:
            timer = self.live[0]
            timer.live = False
            self.now = max(self.now, timer.when)
            timer.callback()
        self.now = to


def test_a_deadline_passes_once_and_can_be_started_again() -> None:
    clock, passed = Clock(), list[float]()
    deadline = Deadlines(clock).make(5, lambda: passed.append(clock.now))
    assert deadline.start() == 0
    clock.turn(20)
    assert passed == [5]
    assert deadline.start() == 20
    clock.turn(40)
    assert passed == [5, 25]
    assert clock.live == []


def test_a_stopped_deadline_does_not_pass() -> None:
    clock, passed = Clock(), list[float]()
    deadline = Deadlines(clock).make(5, lambda: passed.append(clock.now))
    deadline.start()
    deadline.stop()
    clock.turn(100)
    assert passed == []
    assert clock.live == []


def test_a_deadline_that_is_started_again_counts_from_then() -> None:
    clock, passed = Clock(), list[float]()
    deadline = Deadlines(clock).make(5, lambda: passed.append(clock.now))
    for now in (0, 3, 4):
        clock.turn(now)
        deadline.start()
    clock.turn(8)
    assert passed == []
    clock.turn(100)
    assert passed == [9]


def test_one_timer_and_one_entry_serve_any_number_of_starts() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    many = [deadlines.make(5, lambda: None) for _ in range(100)]
    for each in range(1000):
        clock.now = each / 1000
        for deadline in many:
            deadline.start()
            deadline.stop()
    assert (len(clock.live), len(deadlines), len(clock.timers)) == (1, 100, 1)
    clock.turn(100)
    assert (len(clock.live), len(deadlines)) == (0, 0)


def test_a_shorter_deadline_comes_before_a_longer_one_that_was_started_earlier() -> None:
    clock, passed = Clock(), list[str]()
    deadlines = Deadlines(clock)
    deadlines.make(50, lambda: passed.append("long")).start()
    deadlines.make(5, lambda: passed.append("short")).start()
    clock.turn(10)
    assert passed == ["short"]
    clock.turn(50)
    assert passed == ["short", "long"]


def test_a_deadline_may_be_started_as_it_passes() -> None:
    clock, passed = Clock(), list[float]()

    def again() -> None:
        passed.append(clock.now)
        if clock.now < 15:
            deadline.start()

    deadline = Deadlines(clock).make(5, again)
    deadline.start()
    clock.turn(100)
    assert passed == [5, 10, 15]


def test_a_callback_that_fails_takes_no_other_deadline_with_it() -> None:
    clock, passed = Clock(), list[float]()

    def fail() -> None:
        raise ZeroDivisionError

    deadlines = Deadlines(clock)
    deadlines.make(5, fail).start()
    deadlines.make(5, lambda: passed.append(clock.now)).start()
    with pytest.raises(ZeroDivisionError):
        clock.turn(10)
    clock.turn(10)
    assert passed == [5]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["start", "stop", "wait"]), st.integers(1, 9)), max_size=60)
)
def test_deadlines_pass_when_those_of_a_simple_model_do(steps: list[tuple[int, str, int]]) -> None:
    clock, passed, expected = Clock(), list[tuple[int, float]](), list[tuple[int, float]]()
    deadlines = Deadlines(clock)
    lengths = (2, 3, 5, 11)
    all_ = [deadlines.make(length, lambda n=n: passed.append((n, clock.now))) for n, length in enumerate(lengths)]  # type: ignore[misc]  # a lambda with a default
    due: dict[int, float] = {}
    for number, step, time in steps:
        if step == "start":
            all_[number].start()
            due[number] = clock.now + lengths[number]
        elif step == "stop":
            all_[number].stop()
            due.pop(number, None)
        else:
            clock.turn(clock.now + time)
            expected += [(each, when) for each, when in due.items() if when <= clock.now]
            due = {each: when for each, when in due.items() if when > clock.now}
    assert sorted(passed) == sorted(expected)
