"""A node of syncd in this process: its clone, its state directory, its way to the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from syncd.core.control import Control
from syncd.daemon.outcome import Outcome
from syncd.daemon.survey import Survey
from syncd.settings import Settings, load
from syncd.store.store import Store
from syncd.wiring.daemon import open_daemon
from syncd.wiring.parts import Parts, open_parts
from syncd.wiring.store import endpoint_of
from tests.support.repository import Repository


def settings_of(repository: Repository, address: str, prefix: str, home: Path, **more: str) -> Settings:
    """Make the settings of a node; ``more`` are further ones, their dots written as two underscores."""
    flags = {
        "source.repository": str(repository.folder),
        "source.path": "config/mordomo",
        "store.address": address,
        "store.prefix": prefix,
        "state_directory": str(home),
        "http.listen": "127.0.0.1:0",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return load(flags, {}, repository.folder)


@asynccontextmanager
async def node(
    repository: Repository, address: str, prefix: str, home: Path, *, patience: float | None = None, **more: str
) -> AsyncIterator[Parts]:
    """Open a node with a state directory of its own; ``patience`` is how long the store may take for an answer."""
    settings = settings_of(repository, address, prefix, home, **more)
    async with open_parts(settings, {}, stateful=True) as parts:
        if patience is None:
            yield parts
            return
        async with Store(endpoint_of(settings, {}), prefix, patience=patience) as store:
            survey = Survey(store, parts.source, parts.memory, name=settings.source.name, prefix=prefix)
            yield replace(parts, store=store, survey=survey)


async def apply_once(parts: Parts, control: Control | None = None) -> Outcome:
    """Bring the store to the tip under a lease, once, and give the lease back."""
    lease = parts.lease()
    try:
        return await parts.reconciler(lease).reconcile(await parts.source.read(), control or Control())
    finally:
        await lease.resign()


@asynccontextmanager
async def daemon(parts: Parts) -> AsyncIterator[asyncio.Task[None]]:
    """Run the daemon until the end of the block, then stop it in order; a daemon that failed fails the test."""
    async with open_daemon(parts) as made:
        task = asyncio.create_task(made.run())
        try:
            yield task
        finally:
            task.cancel()
            found = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(found[0], asyncio.CancelledError), found
