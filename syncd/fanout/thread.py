"""Blocking work in a thread that may hang without holding up anybody: not the loop, not other senders, not the end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any, Final, TypeVar

from syncd.fanout.program import GRACE

_Answer = TypeVar("_Answer")
GoOn = Callable[[], bool]
Work = Callable[[GoOn], _Answer]
"""What is to be done; it looks now and then whether to go on, and must not change anything where not."""


class Busy(Exception):
    """What was given up before has not ended yet."""


class Worker:
    """Does one thing at a time. A thread cannot be ended from outside: what is given up is told so, and waited for."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._under_way: Future[Any] | None = None

    async def run(self, work: Work[_Answer], limit: float) -> _Answer:
        """Do something; TimeoutError after ``limit`` seconds, Busy while something older is still at it."""
        if self._under_way and not self._under_way.done():
            raise Busy
        given_up, answer = Event(), Future[_Answer]()
        answer.set_running_or_notify_cancel()
        self._under_way = answer
        Thread(target=_do, args=(work, given_up, answer), name=self._name, daemon=True).start()
        try:
            async with asyncio.timeout(limit):
                return await asyncio.wrap_future(answer)
        finally:
            given_up.set()

    async def close(self) -> None:
        """Give what was given up a moment to end."""
        if self._under_way and not self._under_way.done():
            await asyncio.wait([asyncio.wrap_future(self._under_way)], timeout=GRACE)


def _do(work: Work[_Answer], given_up: Event, answer: Future[_Answer]) -> None:
    try:
        answer.set_result(work(lambda: not given_up.is_set()))
    except BaseException as error:  # noqa: BLE001  # it is raised where the answer is awaited
        answer.set_exception(error)
