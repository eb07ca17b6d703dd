"""Reading a real Consul's catalog of services."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from syncd.core.catalog import Instance
from syncd.core.errors import Denied, NotFound, NotWhole, StoreError, TooLarge
from syncd.embedded import server
from syncd.store import catalog as catalog_module
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, start_agent
from tests.support.services import Services, asks
from tests.support.waiting import until


@pytest.fixture
def services(consul: ConsulAgent) -> Iterator[Services]:
    made = Services(consul)
    yield made
    made.close()


def store_at(agent: ConsulAgent, token: str = "") -> Store:
    return Store(resolve_endpoint({"CONSUL_HTTP_ADDR": agent.address, "CONSUL_HTTP_TOKEN": token}), "app")


async def test_a_service_is_read_with_address_port_and_meta(services: Services) -> None:
    name = services.register(meta=asks(), address="10.1.2.3", port=8080)
    async with store_at(services.agent) as store:
        names, index = await store.catalog.services(0, wait=1)
        found = await store.catalog.instances(name)
    assert name in names
    assert index > 0
    assert found == [Instance(name, name, services.node, "10.1.2.3", 8080, asks())]


async def test_a_service_without_an_address_has_its_nodes(services: Services) -> None:
    name = services.register(meta=asks(), address="")
    async with store_at(services.agent) as store:
        (found,) = await store.catalog.instances(name)
    assert found.address == "127.0.0.1"


async def test_a_critical_service_is_still_there(services: Services) -> None:
    name = services.register(meta=asks(), Check={"TTL": "10m", "Status": "critical"})
    async with store_at(services.agent) as store:
        assert [each.id for each in await store.catalog.instances(name)] == [name]


async def test_who_does_not_ask_and_sidecars_that_took_over_the_meta_are_left_out(services: Services) -> None:
    name = services.register(meta={"version": "1"})
    proxied = services.register(meta=asks(), Connect={"SidecarService": {}})
    async with store_at(services.agent) as store:
        names, _ = await store.catalog.services(0, wait=1)
        assert await store.catalog.instances(name) == []
        assert await store.catalog.instances(f"{proxied}-sidecar-proxy") == []
        assert [each.id for each in await store.catalog.instances(proxied)] == [proxied]
    assert f"{proxied}-sidecar-proxy" in names


async def test_odd_names_are_read_as_they_are(services: Services) -> None:
    name = services.register(f"Ört & co {services.node}", meta=asks(), id_="a/b%41?c")
    async with store_at(services.agent) as store:
        assert [(each.service, each.id) for each in await store.catalog.instances(name)] == [(name, "a/b%41?c")]


async def test_news_wakes_whoever_waits(services: Services) -> None:
    async with store_at(services.agent) as store:
        _, index = await store.catalog.services(0, wait=1)
        waiting = asyncio.create_task(store.catalog.services(index, wait=55))
        name = services.register(meta=asks())
        async with asyncio.timeout(30):
            names, moved = await waiting
    assert name in names
    assert moved > index


async def test_an_answer_without_an_end_is_not_read_to_its_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "MAX_BYTES", 10)
    async with store_at(services.agent) as store:
        with pytest.raises(TooLarge, match="more than 10 bytes"):
            await store.catalog.services(0, wait=1)


async def test_the_embedded_store_has_no_catalog(tmp_path: Path) -> None:
    serving = await server.start(tmp_path / "store.db", "127.0.0.1", 0)
    try:
        async with Store(resolve_endpoint({}, address=serving.address), "app") as store:
            with pytest.raises(NotFound, match="no catalog"):
                await store.catalog.services(0, wait=1)
    finally:
        await serving.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    with start_agent(acl=True) as agent:
        yield agent


# promise 5
async def test_what_the_token_may_not_read_is_not_taken_for_gone(guarded: ConsulAgent) -> None:
    services = Services(guarded)
    name = services.register(meta=asks())
    rules = f'service "{name}" {{ policy = "read" }} node_prefix "" {{ policy = "read" }}'
    token = guarded.make_token(rules)
    async with store_at(guarded, token) as store:
        found = await store.catalog.instances(name)
        assert [each.id for each in found] == [name]
        assert await store.catalog.unseen(found) == set()
        guarded.narrow(token, 'key_prefix "x" { policy = "read" }')

        async def hidden() -> bool:
            return not (await store.catalog.services(0, wait=1))[0]

        await until(hidden, "the narrower rules hold")
        assert await store.catalog.instances(name) == []
        assert await store.catalog.unseen(found) == {each.name for each in found}
        guarded.revoke(token)

        async def refused() -> bool:
            try:
                await store.catalog.services(0, wait=1)
            except Denied:
                return True
            return False

        await until(refused, "the token is gone")
    services.close()


async def test_without_acls_everybody_is_seen(services: Services) -> None:
    name = services.register(meta=asks())
    async with store_at(services.agent) as store:
        assert await store.catalog.unseen(await store.catalog.instances(name)) == set()


@pytest.mark.parametrize("body", [b"[", b"[1]", b'{"a"'])
async def test_damaged_answers_say_nothing_about_services(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"X-Consul-Index": "7"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as there, Store(resolve_endpoint({}, address=str(there.make_url(""))), "app") as store:
        with pytest.raises(NotWhole, match="list of services is damaged"):
            await store.catalog.services(0, wait=1)
        with pytest.raises(NotWhole, match="list of instances is damaged"):
            await store.catalog.instances("a")
        with pytest.raises(StoreError):
            await store.catalog.unseen([Instance("a", "a", "n", "127.0.0.1", 1, {})])


async def test_rights_that_are_told_of_other_names_prove_nothing() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([{"Allow": True}])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as there, Store(resolve_endpoint({}, address=str(there.make_url(""))), "app") as store:
        with pytest.raises(NotWhole, match="other questions"):
            await store.catalog.unseen([Instance("a", "a", "n", "127.0.0.1", 1, {})])
