"""The proxy does what its page says, seen by a Store; and the Store names each fault rightly."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from syncd.core.errors import Conflict, NoLeader, NotWhole, RateLimited, StoreError, UnknownOutcome, Unreachable
from syncd.core.live import Entry
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, start_agent
from tests.support.proxy import (
    Fault,
    Gate,
    Proxy,
    Reply,
    after,
    answer,
    anything,
    before,
    cut,
    drip,
    drop_reply,
    held,
    held_reply,
    lose_reply,
    proxy_to,
    request_to,
    reset,
    rewrite,
    silent,
    storm,
)
from tests.support.waiting import until


@pytest.fixture
def proxy(consul: ConsulAgent) -> Iterator[Proxy]:
    with proxy_to(consul.address) as proxy:
        yield proxy


@pytest.fixture
async def store(proxy: Proxy, prefix: str) -> AsyncIterator[Store]:
    async with Store(resolve_endpoint({}, address=proxy.address), prefix) as store:
        yield store


@pytest.fixture
async def hasty(proxy: Proxy, prefix: str) -> AsyncIterator[Store]:
    """A store that gives up soon, for what never answers."""
    async with Store(resolve_endpoint({}, address=proxy.address), prefix, patience=0.3) as store:
        yield store


def put(prefix: str, key: str, value: bytes, *, index: int | None = None) -> bytes:
    verb = {"Verb": "set"} if index is None else {"Verb": "cas", "Index": index}
    text = base64.b64encode(value).decode()
    return json.dumps([{"KV": {**verb, "Key": f"{prefix}/{key}", "Value": text}}]).encode()


TXN = request_to("PUT", "/v1/txn")
KV = request_to("GET", "/v1/kv/")
CAS = request_to("PUT", "/v1/kv/")


async def test_without_rules_everything_passes(store: Store, prefix: str, proxy: Proxy) -> None:
    assert await store.transact(put(prefix, "a", b"1")) > 0
    assert await store.get("a") is not None
    assert [(each.method, each.path) for each in proxy.seen()] == [
        ("PUT", "/v1/txn"),
        ("GET", f"/v1/kv/{prefix}/a"),
    ]


@pytest.mark.parametrize("fault", [drop_reply, cut(0), cut(10), cut(10, reset=False)])
async def test_a_write_whose_answer_is_lost_has_an_unknown_outcome(
    store: Store, prefix: str, proxy: Proxy, fault: Fault
) -> None:
    proxy.when(TXN, fault)
    with pytest.raises(UnknownOutcome, match="broke off"):
        await store.transact(put(prefix, "a", b"1"))
    assert len(proxy.seen("PUT")) == 1
    assert await store.get("a") is not None


async def test_a_write_is_sent_once_although_its_kept_connection_breaks(
    store: Store, prefix: str, proxy: Proxy
) -> None:
    await store.transact(put(prefix, "a", b"1"))
    proxy.when(TXN, reset, times=None)
    with pytest.raises(UnknownOutcome):
        await store.transact(put(prefix, "a", b"2"))
    assert len(proxy.seen("PUT")) == 2


async def test_a_read_is_sent_again_when_its_kept_connection_breaks(store: Store, proxy: Proxy) -> None:
    assert await store.get("a") is None
    proxy.when(KV, reset)
    assert await store.get("a") is None
    assert len(proxy.seen("GET")) == 3


async def test_a_read_that_breaks_off_is_never_an_answer(store: Store, prefix: str, proxy: Proxy) -> None:
    await store.transact(put(prefix, "a", b"x" * 5000))
    for size in (0, 1, 100, 4000):
        proxy.when(KV, cut(size))
        with pytest.raises(Unreachable):
            await store.listing()
        proxy.when(KV, cut(size, reset=False))
        with pytest.raises(Unreachable):
            await store.get("a")


@pytest.mark.parametrize("fault", [silent, lose_reply, drip(every=0.2)])
async def test_what_never_ends_is_given_up(hasty: Store, prefix: str, proxy: Proxy, fault: Fault) -> None:
    proxy.when(anything, fault, times=2)
    with pytest.raises(Unreachable, match="no answer in time"):
        await hasty.get("a")
    with pytest.raises(UnknownOutcome, match="no answer in time"):
        await hasty.transact(put(prefix, "a", b"1"))


async def test_a_batch_that_hung_on_the_wire_lands_after_its_client_has_gone(
    store: Store, consul: ConsulAgent, prefix: str, proxy: Proxy
) -> None:
    gate = Gate()
    proxy.when(TXN, held(gate))
    write = asyncio.create_task(store.transact(put(prefix, "a", b"late")))
    assert (await gate.arrived()).path == "/v1/txn"
    write.cancel()
    await store.close()
    assert consul.get(f"{prefix}/a") is None
    gate.release()
    assert (await gate.outcome()).status == 200
    assert consul.get(f"{prefix}/a") == b"late"


async def test_a_held_reply_comes_when_it_is_let_go(
    store: Store, consul: ConsulAgent, prefix: str, proxy: Proxy
) -> None:
    gate = Gate()
    proxy.when(TXN, held_reply(gate))
    write = asyncio.create_task(store.transact(put(prefix, "a", b"1")))
    assert (await gate.arrived()).method == "PUT"
    assert consul.get(f"{prefix}/a") == b"1"
    assert not write.done()
    gate.release()
    assert await write > 0
    assert gate.wait_outcome().status == 200
    assert gate.wait_arrived().number == 1


async def test_rules_skip_count_and_end(store: Store, proxy: Proxy) -> None:
    proxy.when(KV, answer(500, b"No cluster leader"), skip=1, times=2)
    assert await store.get("a") is None
    for _ in range(2):
        with pytest.raises(NoLeader):
            await store.get("a")
    assert await store.get("a") is None
    proxy.when(KV, answer(429), times=None)
    with pytest.raises(RateLimited):
        await store.get("a")
    proxy.clear()
    assert await store.get("a") is None


async def test_callbacks_run_before_and_after_the_store_sees_the_request(
    store: Store, consul: ConsulAgent, prefix: str, proxy: Proxy
) -> None:
    seen: list[bytes | None] = []
    proxy.when(TXN, before(lambda: seen.append(consul.get(f"{prefix}/a"))))
    await store.transact(put(prefix, "a", b"1"))
    proxy.when(TXN, after(lambda: seen.append(consul.get(f"{prefix}/a"))))
    await store.transact(put(prefix, "a", b"2"))
    assert seen == [None, b"2"]


async def test_an_agent_that_dies_under_a_write_leaves_an_unknown_outcome() -> None:
    with start_agent() as agent, proxy_to(agent.address) as proxy:
        async with Store(resolve_endpoint({}, address=proxy.address), "p") as store:
            await store.listing()
            proxy.when(TXN, before(agent.kill))
            with pytest.raises(UnknownOutcome):
                await store.transact(put("p", "a", b"1"))
            with pytest.raises(Unreachable):
                await store.listing()


async def test_a_partition_is_silent_and_heals(hasty: Store, store: Store, proxy: Proxy) -> None:
    proxy.partition()
    with pytest.raises(Unreachable, match="no answer in time"):
        await hasty.get("a")
    waiting = asyncio.create_task(store.get("a"))
    proxy.heal()
    assert await waiting is None


async def test_a_partition_may_let_requests_through_and_no_replies(
    store: Store, consul: ConsulAgent, prefix: str, proxy: Proxy
) -> None:
    async def landed() -> bool:
        return consul.get(f"{prefix}/a") == b"1"

    proxy.partition(requests=False)
    waiting = asyncio.create_task(store.transact(put(prefix, "a", b"1")))
    await until(landed, "the write lands")
    assert not waiting.done()
    proxy.heal()
    assert await waiting > 0


async def test_reset_all_breaks_what_is_under_way(store: Store, proxy: Proxy) -> None:
    async def arrived() -> bool:
        return bool(proxy.seen("PUT"))

    proxy.partition()
    waiting = asyncio.create_task(store.transact(b"[]"))
    await until(arrived, "the request arrives")
    proxy.reset_all()
    with pytest.raises(UnknownOutcome):
        await waiting


async def test_a_storm_is_the_same_for_the_same_seed(store: Store, proxy: Proxy) -> None:
    async def outcomes() -> list[str]:
        proxy.clear()
        proxy.when(KV, storm(7, answer(429), answer(503), answer(500)), times=None)
        found = []
        for _ in range(20):
            try:
                await store.get("a")
                found.append("passed")
            except StoreError as error:
                found.append(str(error))
        return found

    first = await outcomes()
    assert first == await outcomes()
    assert len(set(first)) > 2


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("X-Consul-Index: 0\r\n", NotWhole),
        ("X-Consul-Index: -1\r\n", NotWhole),
        ("", NotWhole),
        ("X-Consul-Index: 5\r\nX-Consul-KnownLeader: false\r\n", NoLeader),
        ("X-Consul-Index: 5\r\nX-Consul-Results-Filtered-By-ACLs: true\r\n", NotWhole),
    ],
)
async def test_an_answer_that_cannot_be_relied_on_is_no_answer(
    store: Store, proxy: Proxy, header: str, error: type[StoreError]
) -> None:
    for status in (200, 404):
        proxy.when(anything, answer(status, b"[]", headers=header), times=3)
        with pytest.raises(error):
            await store.listing()
        with pytest.raises(error):
            await store.get("a")
        with pytest.raises(error):
            await store.watch_own("control", 5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"{}",
        b"[{}]",
        b"[] []",
        b"null",
        b'[{"Key":"elsewhere/a","Value":null,"Flags":0,"ModifyIndex":1}]',
        b'[{"Key":"PREFIX/a","Value":"?","Flags":0,"ModifyIndex":1}]',
        b'[{"Key":"PREFIX/a","Value":null,"Flags":0,"ModifyIndex":1},{"Key":"PREFIX/a","Value":null,"Flags":0,"ModifyIndex":1}]',
    ],
)
async def test_a_list_that_makes_no_sense_is_not_believed(store: Store, proxy: Proxy, prefix: str, body: bytes) -> None:
    proxy.when(KV, answer(200, body.replace(b"PREFIX", prefix.encode()), headers="X-Consul-Index: 5\r\n"))
    with pytest.raises(NotWhole):
        await store.listing()


async def test_an_answer_about_another_key_is_not_believed(store: Store, proxy: Proxy) -> None:
    body = b'[{"Key":"elsewhere","Value":null,"Flags":0,"ModifyIndex":1}]'
    proxy.when(KV, answer(200, body, headers="X-Consul-Index: 5\r\n"))
    with pytest.raises(NotWhole, match="other keys"):
        await store.get("a")
    proxy.when(KV, answer(200, b"[]", headers="X-Consul-Index: 5\r\n"))
    with pytest.raises(NotWhole):
        await store.get("a")
    proxy.when(KV, answer(200, b"<html>", headers="X-Consul-Index: 5\r\n"))
    with pytest.raises(StoreError, match="is not a Consul API"):
        await store.get("a")


async def test_a_large_value_that_landed_although_its_answer_was_lost_is_found(store: Store, proxy: Proxy) -> None:
    proxy.when(CAS, drop_reply)
    index = await store.put_cas("big", b"x", 5, 0)
    assert await store.get("big") == Entry(b"x", 5, index)


async def test_a_large_value_that_may_still_land_stays_in_doubt(store: Store, proxy: Proxy) -> None:
    proxy.when(CAS, reset)
    with pytest.raises(UnknownOutcome):
        await store.put_cas("big", b"x", 5, 0)
    proxy.when(CAS, drop_reply)
    proxy.when(KV, answer(500, b"No cluster leader"))
    with pytest.raises(UnknownOutcome):
        await store.put_cas("big", b"x", 5, 0)


async def test_a_large_value_that_cannot_be_read_back_is_in_doubt(store: Store, proxy: Proxy) -> None:
    proxy.when(KV, answer(500, b"No cluster leader"))
    with pytest.raises(UnknownOutcome, match="cannot be read back"):
        await store.put_cas("big", b"x", 5, 0)
    assert await store.get("big") is not None


async def test_a_false_about_our_own_write_is_no_conflict(store: Store, proxy: Proxy) -> None:
    proxy.when(CAS, rewrite(lambda reply: Reply(200, reply.head.replace(b": 4", b": 5"), b"false")))
    assert await store.put_cas("big", b"x", 5, 0) > 0


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"Results":', b"[]"])
async def test_a_damaged_answer_to_a_transaction_has_an_unknown_outcome(
    store: Store, proxy: Proxy, prefix: str, body: bytes
) -> None:
    proxy.when(TXN, answer(200, body))
    with pytest.raises(UnknownOutcome):
        await store.transact(put(prefix, "a", b"1"))


async def test_a_damaged_refusal_of_a_transaction_shows_what_came(store: Store, proxy: Proxy, prefix: str) -> None:
    proxy.when(TXN, answer(409, b"<html>"))
    with pytest.raises(StoreError, match="<html>"):
        await store.transact(put(prefix, "a", b"1"))
    proxy.when(TXN, answer(404, b"<html>"))
    with pytest.raises(StoreError, match="knows no transactions"):
        await store.transact(put(prefix, "a", b"1"))


async def test_a_damaged_answer_to_a_write_has_an_unknown_outcome(store: Store, proxy: Proxy) -> None:
    proxy.when(CAS, answer(200, b"maybe"))
    proxy.when(KV, answer(500, b"No cluster leader"))
    with pytest.raises(UnknownOutcome, match=r"the store answers 200: \(5 bytes"):
        await store.put_cas("a", b"1", 0, 0)


async def test_an_unknown_agent_is_described_all_the_same(store: Store, proxy: Proxy) -> None:
    proxy.when(anything, answer(403, b"Permission denied"))
    assert await store.describe() == f"Consul at {proxy.address}"
    proxy.when(anything, answer(200, b"<html>"))
    assert await store.describe() == f"Consul at {proxy.address}"
    proxy.when(anything, answer(200, b'{"Config":{"Version":"0.1.0+syncd.embedded"}}'))
    assert await store.describe() == f"syncd's embedded store at {proxy.address}"


async def test_a_cluster_without_a_leader_says_so(store: Store, proxy: Proxy) -> None:
    proxy.when(anything, answer(200, b'""'))
    with pytest.raises(NoLeader):
        await store.leader()


async def test_an_answer_about_a_session_that_makes_no_sense_is_in_doubt(store: Store, proxy: Proxy) -> None:
    for body in (b"<html>", b"[]", b"{}", b"7"):
        proxy.when(anything, answer(200, body))
        with pytest.raises(UnknownOutcome, match="makes no sense"):
            await store.create_session("a", 15)
    proxy.when(anything, answer(200, b"<html>"))
    with pytest.raises(Unreachable, match="makes no sense"):
        await store.leader()


async def test_a_large_value_that_is_overwritten_at_once_is_a_conflict(
    store: Store, consul: ConsulAgent, prefix: str, proxy: Proxy
) -> None:
    proxy.when(CAS, after(lambda: consul.put(f"{prefix}/a", b"theirs")))
    with pytest.raises(Conflict, match="somebody else at once"):
        await store.put_cas("a", b"ours", 5, 0)
    assert consul.get(f"{prefix}/a") == b"theirs"


async def test_a_gateway_that_asks_for_credentials_is_no_store_without_acls(store: Store, proxy: Proxy) -> None:
    proxy.when(anything, answer(401, b"who are you?"))
    with pytest.raises(StoreError, match="who are you") as caught:
        await store.may_write()
    assert "CONSUL_HTTP_AUTH" in caught.value.hint


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b"\xff", b"[" * 100_000, b"{}"])
async def test_a_web_page_in_place_of_an_answer_is_a_store_error(store: Store, proxy: Proxy, page: bytes) -> None:
    proxy.when(anything, answer(200, page), times=None)
    with pytest.raises(StoreError, match="is not a Consul API"):
        await store.may_write()
    for ask in (store.listing(), store.names(), store.own("revision"), store.leader(), store.create_session("x", 15)):
        with pytest.raises(StoreError):
            await ask
    assert await store.describe() == f"Consul at {proxy.address}"
