"""Senders on both event loops: the daemon runs on uvloop, whose transports and TLS are other code."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from syncd.core.subscriber import Webhook
from syncd.fanout.webhook.resolver import LookUp, look_up
from tests.support.telling import Telling, Told

LoopFactories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> LoopFactories:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def telling() -> AsyncIterator[Telling]:
    """Make senders that are closed when the test is over."""
    made = list[Told]()

    def make(url: str, *, look_up: LookUp = look_up, **more: object) -> Told:
        made.append(Told(Webhook(url, **more), look_up))  # type: ignore[arg-type]  # a test's keywords
        return made[-1]

    yield make
    for told in made:
        await told.sender.close()
