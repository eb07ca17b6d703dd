"""Running the daemon, and building it anew from settings that were read again."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

from syncd.core.errors import SettingsError, SyncdError
from syncd.daemon.service import Service
from syncd.daemon.supervisor import Daemon
from syncd.log import get_logger
from syncd.settings import CATALOGUE, Settings
from syncd.wiring.daemon import open_daemon
from syncd.wiring.parts import Parts

log = get_logger(__name__)

START_SECONDS: Final = 30.0
"""How long it may take to close what stood before and to open repository and state directory."""


async def run_reloading(
    settings: Settings,
    *,
    asked: asyncio.Event,
    read: Callable[[], Settings],
    opened: Callable[[Settings], AbstractAsyncContextManager[Parts]],
    service: Service,
) -> None:
    """Run the daemon for ever; whenever ``asked`` is set, stop it in order and build it anew from what ``read`` says.

    Settings that cannot be read or used leave the old ones in force. Ends only by an error or a cancellation.
    """
    good: Settings | None = None
    while True:
        async with AsyncExitStack() as stack:
            service.begin()
            service.pulse("start").tick(START_SECONDS)
            try:
                parts = await stack.enter_async_context(opened(settings))
                daemon = await stack.enter_async_context(open_daemon(parts, service))
            except SyncdError as error:
                if good is None or settings is good:
                    raise
                _refuse(error)
                settings = good
                continue
            service.pulse("start").rest()
            good = settings
            settings = await _run(daemon, Reload(settings, asked, read, service), service)


class Reload:
    """Reads the settings again when asked to."""

    def __init__(
        self, settings: Settings, asked: asyncio.Event, read: Callable[[], Settings], service: Service
    ) -> None:
        self._settings = settings
        self._asked = asked
        self._read = read
        self._service = service

    async def settings(self) -> Settings:
        """Wait until somebody asks for a reload and there are settings that can be read; return them."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._service.reloading()
            try:
                found = self._read()
            except SyncdError as error:
                _refuse(error)
                self._service.unchanged()
            else:
                log.info("reloading", changed=", ".join(_changed(self._settings, found)) or "no setting")
                return found


async def _run(daemon: Daemon, reload: Reload, service: Service) -> Settings:
    """Run the daemon until there are new settings, and stop it in order whatever happens meanwhile."""
    running, waiting = asyncio.create_task(daemon.run()), asyncio.create_task(reload.settings())
    try:
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            raise RuntimeError("a loop of the daemon ended by itself")
        return waiting.result()
    except asyncio.CancelledError:
        service.stopping()
        raise
    finally:
        await _end(running, waiting)


async def _end(*tasks: asyncio.Task[None] | asyncio.Task[Settings]) -> None:
    """Cancel tasks and wait for their end, also where the order to stop comes while they tidy up."""
    for task in tasks:
        task.cancel()
    ended = asyncio.gather(*tasks, return_exceptions=True)
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        await ended
        raise


def _changed(old: Settings, new: Settings) -> list[str]:
    changed = [name for name in CATALOGUE if old.value(name) != new.value(name)]
    return changed if old.subscribers == new.subscribers else [*changed, "subscribers"]


def _refuse(error: SyncdError) -> None:
    for problem in error.problems if isinstance(error, SettingsError) else (str(error),):
        log.error("the new settings cannot be used, the old ones stay", why=problem)
