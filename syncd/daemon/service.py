"""The daemon as a service: what the service manager is told, and the watchdog over the loops.

A loop shows by its pulse that it comes round. The heartbeat goes on only while every loop does, whatever they find when
they come round: a store that is away is no reason to restart. A process whose event loop is blocked has no heartbeat.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from syncd.core.pulse import Pulses
from syncd.core.text import printable
from syncd.daemon.notify import notify
from syncd.log import get_logger

log = get_logger(__name__)

GRACE_SECONDS: Final = 60.0
"""How late a loop may be where the service manager sets no watchdog; being stuck is then only logged."""
LOOK_SECONDS: Final = 1.0
"""How soon it is looked again whether a late loop has come round after all."""
QUERY_SECONDS: Final = 240.0
"""Whatever a watch asks of the store has ended by then: a blocking query, refused once and sent again (two times 68
seconds), the question whether the token may see everything (twice 30), a pause, and some more."""
MAX_STATUS: Final = 200


class Pulse:
    """One loop's sign of life."""

    def __init__(self, loop: str, pulses: Pulses, clock: Callable[[], float], grace: float) -> None:
        self._loop = loop
        self._pulses = pulses
        self._clock = clock
        self._grace = grace

    def tick(self, wait: float) -> None:
        """Come round; what the loop does or waits for now is bounded and takes ``wait`` seconds at most."""
        self._pulses.expect(self._loop, self._clock() + wait + self._grace)

    def rest(self) -> None:
        """Wait for what may never happen, such as the next commit."""
        self._pulses.rest(self._loop)


class Service:
    """What the service manager sees of the daemon; without one, loops that are stuck are only logged.

    ``clock`` gives seconds and stands still during suspends, as the loops do.
    """

    def __init__(self, environment: Mapping[str, str], *, clock: Callable[[], float]) -> None:
        self._environment = environment
        self._clock = clock
        self._watchdog = _watchdog_seconds(environment) or GRACE_SECONDS
        self._pulses = Pulses()
        self._ready = False
        self._deaf = False
        self._status = ""
        self._stuck = ""

    def pulse(self, loop: str) -> Pulse:
        """Make the pulse of a loop. It may be as late, beyond its own wait, as the watchdog is patient."""
        return Pulse(loop, self._pulses, self._clock, self._watchdog)

    def begin(self) -> None:
        """Begin anew: the next pass makes the service ready."""
        self._ready = False
        self.forget()

    def forget(self) -> None:
        """Expect nothing more of any loop: they are being stopped."""
        self._pulses.clear()

    def passed(self, status: str) -> None:
        """Tell how a pass has ended. The first one, however it ends, makes the service ready."""
        line = printable(status)[:MAX_STATUS]
        if not self._ready:
            self._tell("READY=1", f"STATUS={line}")
        elif line != self._status:
            self._tell(f"STATUS={line}")
        self._ready, self._status = True, line

    def reloading(self) -> None:
        """Tell that a reload begins, which ends with being ready again."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._clock() * 1e6)}", "STATUS=reloading")

    def unchanged(self) -> None:
        """Tell that a reload came to nothing, and everything goes on as it was."""
        self._tell("READY=1", f"STATUS={self._status}")

    def stopping(self) -> None:
        """Tell that it ends."""
        self._tell("STOPPING=1", "STATUS=stopping")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep the heartbeat going during the block, for as long as every loop comes round."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    def late(self) -> tuple[str, ...]:
        """Name the loops that should have come round by now, beyond what they are allowed."""
        return tuple(self._pulses.late(self._clock()))

    async def _keep(self) -> None:
        while True:
            stuck = ", ".join(self.late())
            if stuck != self._stuck:
                self._say(stuck)
            if not stuck:
                self._beat()
            await asyncio.sleep(min(LOOK_SECONDS, self._watchdog / 2) if stuck else self._watchdog / 2)

    def _beat(self) -> None:
        """Give the sign of life; a start or a reload that makes progress may take as long as it needs."""
        extended = () if self._ready else (f"EXTEND_TIMEOUT_USEC={int(self._watchdog * 2e6)}",)
        self._tell("WATCHDOG=1", *extended)

    def _say(self, stuck: str) -> None:
        self._stuck = stuck
        if stuck:
            log.error("a loop is stuck", loops=stuck, hint="the watchdog restarts the service; without one, restart it")
        else:
            log.info("every loop comes round again")

    def _tell(self, *assignments: str) -> None:
        try:
            notify(self._environment, *assignments)
        except OSError as error:
            if not self._deaf:
                log.warning("the service manager cannot be told how it goes", error=str(error))
            self._deaf = True


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """Read how long the service manager waits for a sign of life; None where it does not."""
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) else None
