"""Ending in order when told to: SIGTERM, Ctrl-C, or a terminal that is closed."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def stoppable(work: Coroutine[Any, Any, T]) -> T | None:
    """Run to the end, or until a signal cancels it: then None, after its own tidying up.

    A second signal changes nothing: what is tidied up has its own limits of time.
    """
    task = asyncio.ensure_future(work)
    told: list[int] = []

    def stop(number: int) -> None:
        if not told:
            told.append(number)
            task.cancel()

    loop = asyncio.get_running_loop()
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup stays nohup
    for number in heard:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not told:
            raise
        return None
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
