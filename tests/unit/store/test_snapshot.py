"""A store's whole state as one stream."""

from collections.abc import Iterator

import pytest

from syncd.core.errors import Denied, NoLeader, NotFound, NotWhole, StoreError, Unreachable
from syncd.core.snapshots.archive import Archive
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, start_agent
from tests.support.proxy import Exchange, answer, anything, cut, proxy_to, silent


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    with start_agent(acl=True) as agent:
        yield agent


def store_at(address: str, token: str = "", patience: float = 30.0) -> Store:
    endpoint = resolve_endpoint({"CONSUL_HTTP_ADDR": address, "CONSUL_HTTP_TOKEN": token})
    return Store(endpoint, "app", patience=patience)


async def take(store: Store) -> bytes:
    async with store, store.snapshot() as pieces:
        return b"".join([piece async for piece in pieces])


async def test_it_is_what_consul_would_save(consul: ConsulAgent) -> None:
    archive = Archive()
    assert b"".join(archive.feed(await take(store_at(consul.address))))
    assert archive.finish().index > 0


@pytest.mark.consul
async def test_a_management_token_is_enough(guarded: ConsulAgent) -> None:
    assert guarded.token
    assert await take(store_at(guarded.address, guarded.token))


@pytest.mark.consul
@pytest.mark.parametrize(
    "rules", ['operator = "read"', 'key_prefix "app/" { policy = "write" } operator = "write"'], ids=["reads", "daemon"]
)
async def test_any_other_token_is_refused_and_told_which_one_is_needed(guarded: ConsulAgent, rules: str) -> None:
    token = guarded.make_token(rules)
    with pytest.raises(Denied, match="Permission denied") as raised:
        await take(store_at(guarded.address, token))
    assert "management token" in raised.value.hint
    assert "snapshots.token_file" in raised.value.hint
    assert token not in str(raised.value)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ("X-Consul-Index: 7\r\nX-Consul-KnownLeader: false\r\n", NoLeader),
        ("X-Consul-KnownLeader: true\r\n", NotWhole),
        ("", NotWhole),
    ],
)
async def test_an_answer_without_a_leader_is_refused(
    consul: ConsulAgent, headers: str, error: type[StoreError]
) -> None:
    with proxy_to(consul.address) as proxy:
        proxy.when(anything, answer(200, b"x" * 100, headers=headers))
        with pytest.raises(error):
            await take(store_at(proxy.address))


async def test_a_stream_that_breaks_off_is_an_error(consul: ConsulAgent) -> None:
    with proxy_to(consul.address) as proxy:
        proxy.when(anything, cut(100))
        with pytest.raises(Unreachable, match="broke off"):
            await take(store_at(proxy.address))


async def test_a_store_that_never_answers_is_given_up(consul: ConsulAgent) -> None:
    with proxy_to(consul.address) as proxy:
        proxy.when(anything, silent)
        with pytest.raises(Unreachable, match="no answer in time") as raised:
            await take(store_at(proxy.address, patience=0.02))
        assert "/v1/snapshot" in raised.value.where


async def test_a_store_without_snapshots_says_so(consul: ConsulAgent) -> None:
    with proxy_to(consul.address) as proxy:
        proxy.when(anything, answer(404, b""))
        with pytest.raises(NotFound, match="offers no snapshots"):
            await take(store_at(proxy.address))


async def test_a_stream_that_stops_is_given_up(consul: ConsulAgent) -> None:
    async def stall(exchange: Exchange) -> None:
        reply = await exchange.forward()
        await exchange.send(reply.head + reply.body[:200])
        await exchange.gone()

    with proxy_to(consul.address) as proxy:
        proxy.when(anything, stall)
        with pytest.raises(Unreachable, match="no answer in time"):
            await take(store_at(proxy.address, patience=0.3))
