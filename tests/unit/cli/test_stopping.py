"""Ending in order when told to."""

import asyncio
import os
import signal

import pytest

from syncd.cli.stopping import stoppable


async def work(started: asyncio.Event, tidied: list[str]) -> str:
    started.set()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0)
        tidied.append("tidied up")
    return "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_cancels_and_tidying_up_comes_to_its_end(number: signal.Signals) -> None:
    started, tidied = asyncio.Event(), list[str]()
    running = asyncio.create_task(stoppable(work(started, tidied)))
    await started.wait()
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)
    assert await running is None
    assert tidied == ["tidied up"]


async def test_work_that_ends_gives_its_result() -> None:
    assert await stoppable(asyncio.sleep(0, "done")) == "done"


async def test_a_cancellation_from_within_is_not_taken_for_a_signal() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await stoppable(cancelled())


async def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        started, tidied = asyncio.Event(), list[str]()
        running = asyncio.create_task(stoppable(work(started, tidied)))
        await started.wait()
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
