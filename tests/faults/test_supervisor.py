"""The loops: what wakes them, what ends them, and how they stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core import control
from syncd.core.control import Control
from syncd.wiring.daemon import open_daemon
from syncd.wiring.parts import Parts
from tests.support.proxy import Proxy, proxy_to, request_to, reset
from tests.support.scene import Scene
from tests.support.waiting import LIMIT, until


def broken() -> float:
    raise RuntimeError("a fault in the program")


@asynccontextmanager
async def started(parts: Parts, *, interval: float = 600.0) -> AsyncIterator[asyncio.Task[None]]:
    """Run a daemon that breaks as soon as anything makes it wait for a random time."""
    async with open_daemon(parts) as made:
        made._draw = made._own._draw = broken
        made._interval = interval
        yield asyncio.create_task(made.run())


# promise 13
async def test_a_loop_that_breaks_ends_the_daemon_which_gives_the_lease_back(scene: Scene) -> None:
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node(address=proxy.address) as parts, started(parts) as running:
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            await until(lambda: is_watching(proxy), "nothing is watched")
            assert scene.live.all()[".syncd/lease"].session
            proxy.when(request_to("GET", query="index="), reset, times=None)
            scene.live.put(".syncd/control", control.encode(Control()))  # ends a parked query; the next are reset
            with pytest.raises(RuntimeError, match="a fault in the program"):
                async with asyncio.timeout(LIMIT):
                    await running
    assert scene.live.all()[".syncd/lease"].session == ""


async def is_watching(proxy: Proxy) -> bool:
    return any("index=" in request.query for request in proxy.seen("GET"))


async def test_every_so_often_the_store_is_read_in_full_and_drift_is_undone(scene: Scene) -> None:
    async with scene.node() as parts, started(parts, interval=0.05) as running:
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
        scene.live.put("brain/model", "a stranger's")

        async def is_healed() -> bool:
            return scene.live.values()["brain/model"] == b"qwen2.5:3b"

        await until(is_healed, "the drift stays")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_branch_that_is_gone_leaves_the_store_as_it_is(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            first = scene.repository.git("rev-parse", "HEAD")
            await scene.until_applied(first)
            before = scene.snapshot()
            scene.repository.git("update-ref", "-d", "refs/heads/main")
            await until(lambda: is_stalled(logs), "nobody is told")
            assert scene.snapshot() == before
            scene.repository.git("update-ref", "refs/heads/main", first)
            await until(lambda: is_told(logs, "the desired state can be read again"), "it is not read again")
            commit = scene.repository.commit({"brain.yaml": "model: next\n"})
            await scene.until_applied(commit)


# promise 13
async def test_a_store_that_never_answers_does_not_keep_the_daemon_from_stopping(scene: Scene) -> None:
    with proxy_to(scene.live.agent.address) as proxy, capture_logs() as logs:
        async with scene.daemon(address=proxy.address, patience=0.5):
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            proxy.partition()
        assert scene.live.all()[".syncd/lease"].session
        proxy.heal()  # or the proxy itself would not come to its end
    assert await is_told(logs, "the lease could not be given back; it ends by itself")
    assert (logs[-1]["event"], logs[-1]["lease"]) == ("stopped", "ends by itself")


async def test_a_stop_is_told_with_what_became_of_the_lease(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
    assert (logs[-1]["event"], logs[-1]["lease"]) == ("stopped", "given back")


async def is_stalled(logs: list[EventDict]) -> bool:
    return any(line["log_level"] in ("error", "warning") and line.get("hint") for line in logs)


async def is_told(logs: list[EventDict], event: str) -> bool:
    return any(line["event"] == event for line in logs)
