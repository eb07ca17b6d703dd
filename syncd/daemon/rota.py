"""The loop of what is done on schedule.

APScheduler wakes it on the second. What is due, and whether it is done, each duty asks the calendar and the folder
itself each time, once a minute at least: a restart, a takeover or a clock that was set changes neither.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from syncd.daemon.duty import Duty
from syncd.daemon.service import Pulse

LOOK_SECONDS: Final = 60.0
TAKE_SECONDS: Final = 10_800.0
"""How long a look may take: an hour each for the stream, for the program after it, and for reading what is kept."""


async def keep(duties: Sequence[Duty], pulse: Pulse) -> None:
    """Do what comes due, one after the other, for ever; a cancellation leaves nothing unfinished."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415  # no command but run needs it

    due = asyncio.Event()

    async def fire() -> None:
        due.set()

    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.start()
    try:
        while True:
            for duty in duties:
                pulse.tick(TAKE_SECONDS)
                await duty.look()
            following = datetime.fromtimestamp(min(duty.schedule.next(duty.now()).at for duty in duties), UTC)
            # Set anew each time: a clock that was put back must not leave it where it was. No grace, which would
            # drop what comes late.
            scheduler.add_job(
                fire, "date", run_date=following, id="due", replace_existing=True, misfire_grace_time=None
            )
            pulse.tick(LOOK_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await due.wait()
            due.clear()
    finally:
        scheduler.shutdown(wait=False)
