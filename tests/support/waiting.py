"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

LIMIT: Final = 60.0
"""Seconds after which a test is given up: a net for hangs, far above what anything here takes."""
STEP: Final = 0.01


def wait_until(condition: Callable[[], object], what: str, more: Callable[[], str] = str) -> None:
    """Poll until the condition holds; fail saying what was awaited."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"never: {what}{more()}"
        time.sleep(STEP)


async def until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """Poll an awaitable condition until it holds; fail saying what was awaited."""
    async with asyncio.timeout(LIMIT):
        while not await condition():
            assert what
            await asyncio.sleep(STEP)
