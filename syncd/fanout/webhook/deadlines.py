"""Deadlines of many tries with one timer: a timer for each would cost as much as the try itself."""

import itertools
import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol


class Timer(Protocol):
    """What a loop returns for a callback that is to come."""

    def cancel(self) -> None:
        """Forget the callback."""
        ...


class Timers(Protocol):
    """What is needed of the event loop."""

    def time(self) -> float:
        """Read the loop's clock, in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call back at a time of the loop's clock."""
        ...


class Deadlines:
    """A heap of deadlines. Starting and stopping one costs nothing while an older entry of it is still in the heap."""

    def __init__(self, loop: Timers) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """Count the entries, at most one for each deadline."""
        return len(self._heap)

    def make(self, seconds: float, passed: Callable[[], None]) -> "Deadline":
        """Make a deadline of so many seconds, to be started any number of times."""
        return Deadline(self, self._loop, seconds, passed)

    def queue(self, deadline: "Deadline") -> None:
        """Take an entry for a deadline that has none."""
        heappush(self._heap, (deadline.when, next(self._numbers), deadline))
        if self._heap[0][2] is deadline:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heap[0][0], self._look) if self._heap else None

    def _look(self) -> None:
        now = self._loop.time()
        try:
            while self._heap and self._heap[0][0] <= now:
                heappop(self._heap)[2].reach(now)
        finally:  # somebody's callback failed: the others have deadlines too
            self._arm()


class Deadline:
    """One deadline, always of the same length: so its entry in the heap is never too late, only too early.

    An entry that comes up too early is queued again for when it is due, or dropped if the deadline was stopped.
    """

    __slots__ = ("_deadlines", "_loop", "_passed", "_queued", "_seconds", "when")

    def __init__(self, deadlines: Deadlines, loop: Timers, seconds: float, passed: Callable[[], None]) -> None:
        self._deadlines = deadlines
        self._loop = loop
        self._seconds = seconds
        self._passed = passed
        self._queued = False
        self.when = math.inf

    def start(self) -> float:
        """Count from now, which is returned."""
        now = self._loop.time()
        self.when = now + self._seconds
        if not self._queued:
            self._queued = True
            self._deadlines.queue(self)
        return now

    def stop(self) -> None:
        """Count no more."""
        self.when = math.inf

    def reach(self, now: float) -> None:
        """Take back the entry in the heap at its time."""
        self._queued = False
        if self.when <= now:
            self.when = math.inf
            self._passed()
        elif self.when < math.inf:
            self._queued = True
            self._deadlines.queue(self)
