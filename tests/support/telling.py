"""A webhook sender under test, on the running loop."""

import asyncio
import time
from collections.abc import Callable

from syncd.core.subscriber import Webhook
from syncd.fanout.sender import Message, Result
from syncd.fanout.webhook.resolver import LookUp
from syncd.fanout.webhook.sender import WebhookSender
from syncd.fanout.webhook.webhooks import Webhooks
from tests.support.waiting import LIMIT

MESSAGE = Message("m1", b'{"specversion":"1.0"}')


class Told:
    """A sender under test; ``now`` is its wall clock, ``results`` all that it has said."""

    def __init__(self, target: Webhook, look_up: LookUp) -> None:
        self.now = time.time()
        self.results: list[Result] = []
        self.sender: WebhookSender = Webhooks(wall_clock=lambda: self.now, look_up=look_up).sender(target)

    def send(self, message: Message = MESSAGE) -> asyncio.Future[Result]:
        """Start a try."""
        result = asyncio.get_running_loop().create_future()

        def done(said: Result) -> None:
            self.results.append(said)
            result.set_result(said)

        self.sender.send(message, done)
        assert not result.done(), "it must not be done before send returns"
        return result

    async def tell(self, message: Message = MESSAGE) -> Result:
        """Make a try to its end."""
        async with asyncio.timeout(LIMIT):
            return await self.send(message)


Telling = Callable[..., Told]
