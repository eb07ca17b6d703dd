"""Services of a real Consul's catalog as subscribers of a real dispatcher."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core.catalog import GRACE_SECONDS, Grant
from syncd.core.errors import Denied, StoreError, Unreachable
from syncd.core.event import Event, KeyChange, shown
from syncd.core.live import Entry
from syncd.core.subscriber import Subscriber, Webhook
from syncd.daemon import discovery as discovery_module
from syncd.daemon.discovery import Discovery
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.messages import Messages
from syncd.daemon.service import Service
from syncd.daemon.view import View
from syncd.embedded import server
from syncd.fanout.journal import Journal
from syncd.fanout.tables import Head
from syncd.store.catalog import Catalog
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent
from tests.support.services import Services, asks
from tests.support.subscribers import Receivers
from tests.support.waiting import until


@pytest.fixture
def services(consul: ConsulAgent) -> Iterator[Services]:
    made = Services(consul)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at once and again and again: the tests set the clock, and wait for what comes of it."""
    monkeypatch.setattr(discovery_module, "PACE_SECONDS", 0.01)
    monkeypatch.setattr(discovery_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(discovery_module, "MISSING_SECONDS", 0.05)


class Failing:
    """The catalog through a wall that a test can close: for everything, or for one service's instances."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.error: StoreError | None = None
        self.unread: set[str] = set()
        self.hanging: set[str] = set()
        self.nap: Callable[[], None] = lambda: None
        self.looks = 0
        self.unseen = catalog.unseen

    async def services(self, index: int, *, wait: float) -> tuple[frozenset[str], int]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return await self._catalog.services(index, wait=min(wait, 0.05))

    async def instances(self, service: str) -> Any:
        self.nap()
        if service in self.hanging:
            await asyncio.Event().wait()
        if service in self.unread:
            raise Unreachable("no")
        return await self._catalog.instances(service)


class Scene:
    """Catalog, discovery and dispatcher; ``now`` is the time by which who is missing is forgotten."""

    def __init__(
        self, catalog: Failing, journal: Journal, fixed: Sequence[Subscriber], grants: Sequence[Grant]
    ) -> None:
        self.now = 1000.0
        self.catalog = catalog
        self.journal = journal
        self.view = View()
        self.view.epoch = "e"
        self.receivers = Receivers()
        self.pulse = Service({}, clock=lambda: self.now).pulse("catalog")
        messages = Messages(journal, self.view, "app")
        self.dispatcher = Dispatcher(
            journal, messages, self.receivers.make, now=lambda: 1.0, draw=lambda: 0.5, draw_id=lambda: "x"
        )
        self.discovery = Discovery(
            catalog,  # type: ignore[arg-type]  # what discovery uses of a catalog
            self.dispatcher,
            fixed,
            grants,
            "",
            clock=lambda: self.now,
            draw=lambda: 0.0,
        )

    def names(self) -> list[str]:
        return [each.name for each in self.dispatcher.standings() if each.name.startswith(("test-", "by-hand"))]

    async def until_known(self, *names: str) -> None:
        async def known() -> bool:
            return self.names() == sorted(names)

        await until(known, f"{names} are the subscribers")

    async def looked(self, times: int = 3) -> None:
        """Wait until the catalog was asked a few times more."""
        last = self.catalog.looks + times

        async def enough() -> bool:
            return self.catalog.looks >= last

        await until(enough, "the catalog is asked again")

    async def publish(self, **values: str) -> None:
        """Publish keys; two underscores stand for a slash."""
        entries = {key.replace("__", "/"): value.encode() for key, value in values.items()}
        self.view.entries |= {key: Entry(value, 0, 5) for key, value in entries.items()}
        changes = tuple(KeyChange(key, "create", None, value, "", shown(value)) for key, value in entries.items())
        index = self.journal.head.index + 1
        event = Event(f"e-{index}", "foreign", "e", index, 1.0, changes, len(changes))
        head = self.journal.head
        told = await self.journal.publish(event, Head(head.seq, head.id, "e", index), [], now=1.0)
        assert told is not None
        self.dispatcher.publish(told)


@asynccontextmanager
async def opened(
    services: Services, folder: Path, *fixed: Subscriber, grants: Sequence[Grant] = ()
) -> AsyncIterator[Scene]:
    async with Store(resolve_endpoint({}, address=services.agent.address), "app") as store:
        journal = Journal.open(folder)
        scene = Scene(Failing(store.catalog), journal, fixed, grants)
        await scene.dispatcher.subscribe(fixed, whole=False)
        scene.dispatcher.begin(leading=True)
        running = asyncio.create_task(scene.discovery.run(scene.pulse))
        try:
            yield scene
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await scene.dispatcher.close()
            await journal.close()


def at(services: Services, name: str) -> str:
    return f"{name}@{services.node}"


async def test_a_service_that_registers_is_told_the_state_and_then_every_change_in_hashes(
    services: Services, tmp_path: Path
) -> None:
    async with opened(services, tmp_path) as scene:
        await scene.publish(brain__model="a", ears__model="b")
        name = services.register(meta=asks())
        await scene.until_known(at(services, name))
        sender = scene.receivers[at(services, name)]

        async def told(times: int) -> bool:
            return len(sender.bodies) == times

        await until(lambda: told(1), "the state is told")
        await scene.publish(brain__model="c", ears__model="d")
        await until(lambda: told(2), "the change is told")
        state, change = sender.bodies
        assert state["type"] == "syncd.state.reset.v1"
        assert [each["key"] for each in state["data"]["changes"]] == ["brain/model"]
        assert change["data"]["changes"] == [
            {"key": "brain/model", "operation": "create", "new_hash": shown(b"c")},
        ]


async def test_values_are_told_where_settings_allow_them_and_nowhere_else(services: Services, tmp_path: Path) -> None:
    name = services.register(meta=asks("brain/,ears/"))
    async with opened(services, tmp_path, grants=[Grant(name, "brain/")]) as scene:
        await scene.until_known(at(services, name))
        await scene.publish(brain__model="c", ears__model="d")
        sender = scene.receivers[at(services, name)]

        async def told() -> bool:
            return any(each["type"] == "syncd.keys.changed.v1" for each in sender.bodies)

        await until(told, "the change is told")
        told_values = {each["key"]: each.get("new") for each in sender.bodies[-1]["data"]["changes"]}
        assert told_values == {"brain/model": "c", "ears/model": None}


async def test_a_service_that_deregisters_is_forgotten_after_a_while(services: Services, tmp_path: Path) -> None:
    stays, goes = services.register(meta=asks()), services.register(meta=asks())
    async with opened(services, tmp_path) as scene:
        await scene.until_known(*sorted([at(services, stays), at(services, goes)]))
        services.deregister(goes)
        await scene.looked()
        assert len(scene.names()) == 2
        scene.now += GRACE_SECONDS
        await scene.until_known(at(services, stays))
        assert at(services, goes) not in scene.journal.standings


async def test_a_service_that_is_only_registered_anew_is_told_nothing_twice(services: Services, tmp_path: Path) -> None:
    name = services.register(meta=asks(), port=50)
    async with opened(services, tmp_path) as scene:
        await scene.until_known(at(services, name))
        sender = scene.receivers[at(services, name)]

        async def told() -> bool:
            return bool(sender.bodies)

        await until(told, "the state is told")
        services.deregister(name)
        await scene.looked()
        services.register(name, meta=asks(), port=50)
        await scene.looked()
        scene.now += GRACE_SECONDS
        await scene.looked()
        assert scene.names() == [at(services, name)]
        assert len(sender.bodies) == 1


# promise 5: neither an error nor a service that alone cannot be read is a deregistration
async def test_a_catalog_that_cannot_be_read_forgets_nobody(services: Services, tmp_path: Path) -> None:
    name, other = services.register(meta=asks()), services.register(meta=asks())
    async with opened(services, tmp_path) as scene:
        both = sorted([at(services, name), at(services, other)])
        await scene.until_known(*both)
        scene.catalog.error = Unreachable("nothing answers")
        scene.now += 2 * GRACE_SECONDS
        await scene.looked()
        assert scene.names() == both
        scene.catalog.error, scene.catalog.unread = None, {name}
        scene.now += 2 * GRACE_SECONDS
        await scene.looked()
        assert scene.names() == both
        services.deregister(other)
        await scene.looked()
        scene.now += 2 * GRACE_SECONDS
        await scene.until_known(at(services, name))


async def test_a_round_that_hangs_is_given_up_and_forgets_nobody(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = services.register(meta=asks())
    with capture_logs() as logs:
        async with opened(services, tmp_path) as scene:
            await scene.until_known(at(services, name))
            monkeypatch.setattr(discovery_module, "ROUND_SECONDS", 0.05)
            scene.catalog.hanging = {name}
            await scene.looked()
            assert scene.names() == [at(services, name)]
            scene.catalog.hanging = set()
            monkeypatch.undo()
            other = services.register(meta=asks())
            await scene.until_known(*sorted([at(services, name), at(services, other)]))
    assert any("one round over the catalog takes more than" in str(each.get("error")) for each in logs)


async def test_a_machine_that_slept_through_half_a_round_does_not_rest_for_twenty_times_as_long(
    services: Services, tmp_path: Path
) -> None:
    services.register(meta=asks())
    async with opened(services, tmp_path) as scene:
        scene.catalog.nap = lambda: setattr(scene, "now", scene.now + 30_000.0)
        _, pause = await scene.discovery.follow(0)
        assert 0 < pause <= discovery_module.PAUSE_SECONDS


async def test_a_token_that_may_not_is_told_of_once(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_module, "REFUSED_SECONDS", 0.0)
    with capture_logs() as logs:
        async with opened(services, tmp_path, Subscriber("by-hand", Webhook("http://127.0.0.1:9/"))) as scene:
            scene.catalog.error = Denied("the token may not", hint="another token")
            await scene.looked(5)
            assert scene.names() == ["by-hand"]
            scene.catalog.error = None
            await scene.looked()
            await until(lambda: is_said(logs, "the catalog can be read again"), "its end is not told")
    said = [each for each in logs if each["event"] == "no subscribers from the catalog"]
    assert [(each["log_level"], each["why"], each["hint"]) for each in said] == [
        ("info", "the token may not", "another token")
    ]


async def is_said(logs: list[EventDict], event: str) -> bool:
    return any(each["event"] == event for each in logs)


async def test_the_embedded_store_offers_no_subscribers_and_that_is_no_error(tmp_path: Path) -> None:
    serving = await server.start(tmp_path / "store.db", "127.0.0.1", 0)
    journal = Journal.open(tmp_path)
    try:
        async with Store(resolve_endpoint({}, address=serving.address), "app") as store:
            scene = Scene(Failing(store.catalog), journal, (), ())
            with capture_logs() as logs:
                running = asyncio.create_task(scene.discovery.run(scene.pulse))

                async def said() -> bool:
                    return bool(logs)

                await until(said, "it is said")
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    finally:
        await journal.close()
        await serving.close()
    assert [(each["log_level"], each["why"]) for each in logs] == [("debug", "the store has no catalog")]


async def test_bad_meta_is_one_warning_that_names_service_and_node(services: Services, tmp_path: Path) -> None:
    good, bad = services.register(meta=asks()), services.register(meta=asks(path="oops"))
    with capture_logs() as logs:
        async with opened(services, tmp_path) as scene:
            await scene.until_known(at(services, good))
            services.register(meta={})
            await scene.looked()
    warnings = [each for each in logs if each["log_level"] == "warning" and each.get("service") == bad]
    assert [(each["node"], each["id"]) for each in warnings] == [(services.node, bad)]
    assert "must begin with a slash" in warnings[0]["why"]


async def test_what_was_wrong_with_meta_is_over_once_it_is_mended(services: Services, tmp_path: Path) -> None:
    name = services.register(meta=asks(path="oops"))
    with capture_logs() as logs:
        async with opened(services, tmp_path) as scene:
            await scene.looked()
            assert scene.names() == []
            services.register(name, meta=asks())
            await scene.until_known(at(services, name))
    said = [(each["log_level"], each["why"]) for each in logs if each.get("service") == name]
    assert [level for level, _ in said] == ["warning", "info"]
    assert said[0][1] == said[1][1]


async def test_who_is_told_by_the_settings_is_not_told_twice(services: Services, tmp_path: Path) -> None:
    name = services.register(meta=asks(path="/x"), port=7)
    fixed = Subscriber("by-hand", Webhook("http://127.0.0.1:7/x"))
    with capture_logs() as logs:
        async with opened(services, tmp_path, fixed) as scene:
            await scene.looked()
            assert scene.names() == ["by-hand"]
    said = [each["why"] for each in logs if each.get("service") == name]
    assert said == ["by-hand is told at that address already"]


async def test_more_services_than_may_be_told_are_a_warning(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_module, "MOST_SUBSCRIBERS", 1)
    names = sorted(services.register(meta=asks()) for _ in range(2))
    with capture_logs() as logs:
        async with opened(services, tmp_path) as scene:
            await scene.until_known(at(services, names[0]))
    assert "more than 1 services ask; the others are not told" in [each.get("why") for each in logs]


async def test_services_beyond_the_limit_are_not_read_and_not_forgotten(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted([services.register(meta=asks()) for _ in range(2)])
    async with opened(services, tmp_path) as scene:
        await scene.until_known(*(at(services, name) for name in names))
        monkeypatch.setattr(discovery_module, "MOST_SERVICES", 2)  # "consul" is the first
        scene.now += 2 * GRACE_SECONDS
        await scene.looked()
        assert len(scene.names()) == 2


async def test_a_restart_goes_on_where_it_was(services: Services, tmp_path: Path) -> None:
    name = services.register(meta=asks())
    async with opened(services, tmp_path) as scene:
        await scene.publish(brain__model="a")
        await scene.until_known(at(services, name))
        sender = scene.receivers[at(services, name)]

        async def told() -> bool:
            return bool(sender.bodies)

        await until(told, "the state is told")
    async with opened(services, tmp_path) as scene:
        await scene.until_known(at(services, name))
        await scene.looked()
        assert scene.receivers[at(services, name)].bodies == []
        await scene.publish(brain__model="b")
        sender = scene.receivers[at(services, name)]
        await until(told, "the change is told")
        assert [each["type"] for each in sender.bodies] == ["syncd.keys.changed.v1"]
