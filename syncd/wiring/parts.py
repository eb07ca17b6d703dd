"""What every command on source and store stands on, and the daemon too."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import msgspec

from syncd.core import advice
from syncd.core.lease import Holder
from syncd.daemon.applier import Applier
from syncd.daemon.healer import Healer
from syncd.daemon.lease import Lease
from syncd.daemon.reconciler import Reconciler
from syncd.daemon.state import State
from syncd.daemon.survey import Survey
from syncd.git.source import Source
from syncd.settings import Settings
from syncd.store.store import Store
from syncd.wiring.process import boot_time, draw_id, this_process
from syncd.wiring.store import endpoint_of

_PLACE: Final = ("source.repository", "source.path", "store.prefix", "store.token_file", "store.datacenter")


class Parts(msgspec.Struct, frozen=True):
    """What the commands and the daemon stand on, for one source and one prefix.

    ``state`` is the state directory where this process holds it, ``memory`` where it may at least be read. ``place`` is
    the flags that a person must say to reach the same tree and store: what stands in a file or a variable need not be.
    ``environment`` and ``given``, an address that stands in for the settings', say where the store is found.
    """

    settings: Settings
    source: Source
    store: Store
    address: str
    place: str
    state: State | None
    memory: State | None
    survey: Survey
    environment: Mapping[str, str]
    given: str | None

    def lease(self) -> Lease:
        """Make this process's claim to the lease."""
        return Lease(
            self.store,
            self.state,
            value=msgspec.json.encode(Holder(this_process(), int(time.time()))),
            ttl=self.settings.store.lease_ttl,
            clock=boot_time,
        )

    def reconciler(self, lease: Lease) -> Reconciler:
        """Make what brings the store to a commit."""
        applier = Applier(
            self.store,
            lease,
            source=self.settings.source.name,
            prefix=self.settings.store.prefix,
            parallel=self.settings.store.parallel,
            now=time.time,
            draw_id=draw_id,
        )
        healer = Healer(applier, clock=boot_time)
        return Reconciler(self.store, self.source, self.survey, applier, healer, lease, self.state, now=time.time)


@asynccontextmanager
async def open_parts(
    settings: Settings, environment: Mapping[str, str], *, address: str | None = None, stateful: bool = False
) -> AsyncIterator[Parts]:
    """Open repository and store; close them again.

    ``stateful`` takes the state directory for this process; otherwise it is only read, and may be missing.
    ``address`` stands in for the store's address in the settings: the embedded store's.
    """
    name, prefix = settings.source.name, settings.store.prefix
    async with AsyncExitStack() as stack:
        state = State.open(settings.state_directory) if stateful else None
        memory = state or State.peek(settings.state_directory)
        if memory is not None:
            stack.push_async_callback(memory.close)
        source = await _open_source(settings)
        stack.push_async_callback(source.close)
        endpoint = endpoint_of(settings, environment, address)
        store = Store(endpoint, prefix)
        stack.push_async_callback(store.close)
        survey = Survey(store, source, memory, name=name, prefix=prefix)
        said = address is not None or settings.origin("store.address").startswith("flag")
        place = advice.reach(str(endpoint) if said else "", settings.given(*_PLACE))
        yield Parts(settings, source, store, str(endpoint), place, state, memory, survey, environment, address)


async def _open_source(settings: Settings) -> Source:
    """Open the repository."""
    return await Source.open(
        settings.source.repository,
        path=settings.source.path,
        prefix=settings.store.prefix,
        branch=settings.source.branch,
    )
