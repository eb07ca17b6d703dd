"""A repository, a prefix of a real Consul, and nodes of this process between them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from syncd.core.mark import mark_of
from syncd.core.subscriber import Subscriber
from syncd.wiring.parts import Parts
from tests.support.live import Live, without_lease
from tests.support.node import daemon, node
from tests.support.repository import Repository
from tests.support.waiting import until


class Scene:
    """One source and one prefix; the daemons here run in this process."""

    def __init__(self, repository: Repository, live: Live, home: Path) -> None:
        self.repository = repository
        self.live = live
        self.home = home

    @property
    def mark(self) -> int:
        """The flags of this source's keys."""
        return mark_of(self.live.prefix)

    @asynccontextmanager
    async def node(
        self,
        name: str = "a",
        *,
        address: str | None = None,
        repository: Repository | None = None,
        patience: float | None = None,
        **more: str,
    ) -> AsyncIterator[Parts]:
        """Open a node with a state directory of its own, on a way to the store of its own."""
        place = address or self.live.agent.address
        home, clone = self.home / name, repository or self.repository
        async with node(clone, place, self.live.prefix, home, patience=patience, **more) as parts:
            yield parts

    @asynccontextmanager
    async def daemon(
        self,
        name: str = "a",
        *,
        address: str | None = None,
        repository: Repository | None = None,
        patience: float | None = None,
        subscribers: Iterable[Subscriber] = (),
        **more: str,
    ) -> AsyncIterator[Parts]:
        """Run a node's daemon, with those subscribers, until the end of the block."""
        opened = self.node(name, address=address, repository=repository, patience=patience, **more)
        async with opened as parts:
            settings = replace(parts.settings, subscribers=tuple(subscribers))
            async with daemon(replace(parts, settings=settings)):
                yield parts

    async def until_applied(self, commit: str) -> None:
        """Wait until the store holds that commit whole."""

        async def is_applied() -> bool:
            return self.live.applied() == commit

        await until(is_applied, f"{commit} is not applied")

    async def demand_applied(self, commit: str, foreign: dict[str, bytes] | None = None) -> None:
        """Fail unless the store holds exactly that commit, and strangers' keys as they wrote them."""
        async with self.node("observer") as parts:
            wanted = (await parts.source.read(commit)).tree.desired.keys
        entries = self.live.entries()
        ours = {key: entry.value for key, entry in entries.items() if entry.flags == self.mark}
        assert ours == {key: value.value for key, value in wanted.items()}
        assert {key: entry.value for key, entry in entries.items() if entry.flags != self.mark} == (foreign or {})
        assert self.live.applied() == commit

    def snapshot(self) -> dict[str, object]:
        """Everything but the lease, to tell later whether anything was written."""
        return dict(without_lease(self.live.all()))
