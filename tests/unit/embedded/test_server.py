"""The server itself: its port, its clients that go away, its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.core.errors import StateError, SyncdError
from syncd.embedded.server import Server, start
from tests.support.consul import ConsulAgent, free_port
from tests.support.rest import Rest
from tests.support.waiting import until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    started = await start(tmp_path / "store.db", port=0)
    yield started
    await started.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Rest]:
    async with Rest(server.address) as connected:
        yield connected


async def waiters(server: Server, number: int) -> None:
    async def reached() -> bool:
        return server.waiting == number

    await until(reached, f"{number} blocking queries")


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def test_a_client_that_hangs_up_ends_its_blocking_query(server: Server, client: Rest) -> None:
    await client.put("a")
    index = await client.index("a")
    for path in (client.path("a", f"index={index}&wait=10m"), client.path("", f"recurse&index={index}&wait=10m")):
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server.address))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await waiters(server, 1)
        writer.close()
        await waiters(server, 0)


async def test_a_query_that_has_waited_long_enough_is_not_parked_any_more(server: Server, client: Rest) -> None:
    await client.put("a")
    index = await client.index("a")
    waiting = client.parked("a", f"index={index}&wait=50ms")
    await waiters(server, 1)
    await waiting
    assert server.waiting == 0


async def test_closing_answers_who_waits(tmp_path: Path) -> None:
    server = await start(tmp_path / "store.db", port=0)
    async with Rest(server.address) as client:
        await client.put("a", b"x")
        index = await client.index("a")
        waiting = client.parked("a", f"raw&index={index}&wait=10m")
        await waiters(server, 1)
        closing = asyncio.create_task(server.close())
        assert (await waiting).body == b"x"
        await closing


async def test_a_closed_store_may_be_opened_again_at_once(tmp_path: Path) -> None:
    first = await start(tmp_path / "store.db", port=0)
    await first.close()
    second = await start(tmp_path / "store.db", port=port_of(first.address))
    await second.close()


async def test_it_listens_on_loopback_unless_told_otherwise(server: Server) -> None:
    assert server.address.startswith("http://127.0.0.1:")


async def test_an_ipv6_address_is_written_in_brackets(tmp_path: Path) -> None:
    server = await start(tmp_path / "store.db", host="::1", port=0)
    async with Rest(server.address) as client:
        assert server.address.startswith("http://[::1]:")
        assert (await client.call("GET", "/v1/status/leader")).status == 200
    await server.close()


async def refusal(tmp_path: Path, port: int) -> SyncdError:
    with pytest.raises(SyncdError) as error:
        await start(tmp_path / "second.db", port=port)
    assert error.value.where == f"127.0.0.1:{port}"
    assert "make run PORT=" in error.value.hint
    assert "--embedded-port" in error.value.hint
    return error.value


async def test_a_port_of_another_syncd_is_named(server: Server, tmp_path: Path) -> None:
    error = await refusal(tmp_path, port_of(server.address))
    assert error.message == "the port is taken by another syncd's store"
    assert "--state-directory" in error.hint


async def test_a_port_of_a_consul_is_named(consul: ConsulAgent, tmp_path: Path) -> None:
    message = (await refusal(tmp_path, consul.port)).message
    assert message.startswith("the port is taken by a Consul ")
    assert message.endswith(" agent")


async def test_a_port_of_some_other_web_server_is_named(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        message = (await refusal(tmp_path, other.sockets[0].getsockname()[1])).message
    assert message == "the port is taken by something that is not a Consul"


async def test_a_port_where_nothing_speaks_http_is_named(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as other:
        message = (await refusal(tmp_path, other.sockets[0].getsockname()[1])).message
    assert message == "the port is taken by something that does not answer as a Consul does"


async def test_a_host_that_is_not_here_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SyncdError, match="cannot listen") as error:
        await start(tmp_path / "store.db", host="192.0.2.1", port=0)
    assert error.value.hint


async def test_a_database_in_use_is_an_error_and_the_port_is_let_go(server: Server, tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(StateError, match="in use"):
        await start(tmp_path / "store.db", port=port)
    await (await start(tmp_path / "other.db", port=port)).close()


async def test_who_starts_twice_is_told_of_the_port_not_of_the_database(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SyncdError, match="the port is taken by another syncd's store"):
        await start(tmp_path / "store.db", port=port_of(server.address))


async def test_it_knows_transactions_on_keys_only(client: Rest) -> None:
    answer = await client.call("PUT", "/v1/txn", [{"Node": {"Verb": "get", "Node": {"Node": "x"}}}])
    assert (answer.status, answer.text) == (400, "syncd's embedded store knows transactions on KV only")


async def test_a_lock_delay_that_is_no_duration_is_refused(client: Rest) -> None:
    answer = await client.call("PUT", "/v1/session/create", {"LockDelay": ["15s"]})
    assert answer.status == 400


@pytest.mark.parametrize("path", ["/v1/txn", "/v1/session/create"])
async def test_json_that_nests_too_deep_is_refused(client: Rest, path: str) -> None:
    answer = await client.call("PUT", path, b'{"Node":' + b"[" * 30_000)
    assert answer.status == 400


async def test_it_takes_128_operations_as_consul_does_from_1_14_on(client: Rest) -> None:
    answer = await client.transact(*({"Verb": "set", "Key": str(number)} for number in range(128)))
    assert answer.status == 200


async def test_a_value_that_comes_in_chunks_has_the_same_limit(client: Rest) -> None:
    assert (await client.call("PUT", client.path("a"), b"x" * 524_288, chunked=True)).status == 200
    assert (await client.call("PUT", client.path("b"), b"x" * 524_289, chunked=True)).status == 413
    assert (await client.get("b")).status == 404


async def test_it_says_what_it_is(client: Rest) -> None:
    assert (await client.call("GET", "/")).text == "syncd's embedded store"
    version = (await client.call("GET", "/v1/agent/self")).json["Config"]["Version"]
    assert version.endswith("+syncd.embedded")


async def test_the_whole_store_may_be_listed_and_deleted(client: Rest) -> None:
    assert (await client.call("GET", "/v1/kv/?keys")).json == []
    await client.put("a")
    assert len((await client.call("GET", "/v1/kv/?recurse")).json) == 1
    await client.call("DELETE", "/v1/kv/?recurse")
    assert (await client.call("GET", "/v1/kv/?recurse")).status == 404
