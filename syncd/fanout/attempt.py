"""One try at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from syncd.fanout.sender import Done, Result
from syncd.log import get_logger

_log = get_logger(__name__)
Trying = Callable[[], Coroutine[Any, Any, Result]]


class Attempt:
    """A sender's try under way, if there is one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self, trying: Trying, done: Done) -> None:
        """Run a try in the background; ``done`` gets its result unless it is given up before."""
        self._task = asyncio.create_task(self._run(trying, done), name=f"try of {self._name}")

    async def give_up(self) -> None:
        """Cancel the try, and wait until it has cleaned up."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, trying: Trying, done: Done) -> None:
        try:
            result = await trying()
        except Exception:  # noqa: BLE001  # without an answer this subscriber would wait for ever
            _log.exception("a fault in syncd", subscriber=self._name)
            result = Result("failed", "a fault in syncd; see the log")
        done(result)
