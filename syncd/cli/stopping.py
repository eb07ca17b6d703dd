"""Ending in order when told to: SIGTERM, Ctrl-C, or a terminal that is closed."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def stoppable(work: Coroutine[Any, Any, T], *, reload: Callable[[], None] | None = None) -> T | None:
    """Run to the end, or until a signal cancels it: then None, after its own tidying up.

    A second signal changes nothing: what is tidied up has its own limits of time. With ``reload``, SIGHUP calls that
    instead.
    """
    task = asyncio.ensure_future(work)
    told: list[int] = []

    def stop(number: int) -> None:
        if number == signal.SIGHUP and reload is not None:
            reload()
        elif not told:
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


def has_terminal() -> bool:
    """Tell whether SIGHUP may mean that this process's terminal was closed; a service has none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
