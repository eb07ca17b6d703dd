"""What was acknowledged stays; what was refused was never seen."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event

import aiohttp
import pytest

from syncd.embedded.errors import NotStored
from syncd.embedded.node import Node
from syncd.embedded.server import Server, start
from syncd.embedded.sessions import Request
from syncd.embedded.verbs import Operation
from syncd.embedded.watches import Kind, Topic
from tests.support.rest import Rest
from tests.support.waiting import until

PROGRAM = """
import asyncio, pathlib, sys
from syncd.embedded.server import start
async def main():
    server = await start(pathlib.Path(sys.argv[1]), port=0)
    print(server.address, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@asynccontextmanager
async def process(database: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Rest]]:
    """A store in a process of its own, killed at the end."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(database), stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout
    try:
        async with Rest((await started.stdout.readline()).decode().strip()) as client:
            yield started, client
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.wait()


@asynccontextmanager
async def served(database: Path) -> AsyncIterator[tuple[Server, Rest]]:
    server = await start(database, port=0)
    async with Rest(server.address) as client:
        yield server, client
    await server.close()


# promise 11
async def test_every_acknowledged_write_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    enough = asyncio.Event()

    async def write_on(client: Rest, name: str) -> None:
        with suppress(aiohttp.ClientError):
            for number in range(1_000_000):
                await client.put(name, str(number).encode())
                acknowledged[name] = number
                if sum(acknowledged.values()) > 500:
                    enough.set()

    async with process(tmp_path / "store.db") as (running, client):
        prefix = client.prefix
        writers = [asyncio.create_task(write_on(client, f"{name}")) for name in range(8)]
        await enough.wait()
        seen = max([await client.index(name) for name in acknowledged])
        running.send_signal(signal.SIGKILL)
        await asyncio.gather(*writers)

    async with served(tmp_path / "store.db") as (_, client):
        client.prefix = prefix
        for name, number in acknowledged.items():
            assert int((await client.entry(name))["Value"]) >= number
        await client.put("after")
        assert await client.index("after") > seen


async def test_locks_sessions_and_tombstones_survive_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path / "store.db") as (_, client):
        prefix = client.prefix
        session = await client.session(TTL="10s", Name="n")
        await client.put("tree/lock", b"", f"acquire={session}&flags=7")
        await client.put("tree/gone")
        await client.delete("tree/gone")
        before = await client.get("tree/", "recurse")
        listed = await client.call("GET", "/v1/session/list")
    async with served(tmp_path / "store.db") as (_, client):
        client.prefix = prefix
        after = await client.get("tree/", "recurse")
        assert (after.body, after.index) == (before.body, before.index)
        assert (await client.call("GET", "/v1/session/list")).body == listed.body
        await client.destroy(session)
        assert "Session" not in await client.entry("tree/lock")


async def test_a_write_under_way_is_committed_before_the_store_closes(tmp_path: Path) -> None:
    node = Node(tmp_path / "store.db")
    write = asyncio.create_task(node.write([Operation("set", "a", b"x")]))
    await asyncio.sleep(0)
    await node.close()
    assert (await write).entries
    again = Node(tmp_path / "store.db")
    _, entry = await again.read(Topic(Kind.KEY, b"a"), lambda state: state.get(b"a"))
    await again.close()
    assert entry
    assert entry.value == b"x"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    opened = Node(tmp_path / "store.db")
    yield opened
    await opened.close()


async def value(node: Node, key: bytes) -> bytes | None:
    _, entry = await node.read(Topic(Kind.KEY, key), lambda state: state.get(key))
    return entry.value if entry else None


def fill_disk(node: Node) -> None:
    """Let SQLite find no room: the file may not grow."""
    (pages,) = node._database._sql.execute("PRAGMA page_count").fetchone()
    node._database._sql.execute(f"PRAGMA max_page_count = {pages}")


def empty_disk(node: Node) -> None:
    node._database._sql.execute("PRAGMA max_page_count = 1000000")


async def test_a_full_disk_refuses_writes_and_shows_none_of_them(node: Node) -> None:
    await node.write([Operation("set", "a", b"kept")])
    fill_disk(node)
    refused = await asyncio.gather(
        node.write([Operation("set", "a", b"lost" * 10_000)]),
        node.write([Operation("set", "b", b"lost" * 10_000)]),
        return_exceptions=True,
    )
    assert [type(each) for each in refused] == [NotStored, NotStored]
    assert (await value(node, b"a"), await value(node, b"b")) == (b"kept", None)
    empty_disk(node)
    await node.write([Operation("set", "b", b"there is room again")])
    assert await value(node, b"b") == b"there is room again"


async def test_what_was_built_on_a_refused_write_is_refused_too(node: Node) -> None:
    fill_disk(node)
    disk = Event()
    node._commits._writer.submit(disk.wait)
    first = asyncio.create_task(node.write([Operation("set", "a", b"lost" * 10_000)]))
    await until(partial(is_committing, node), "a commit under way")
    second = asyncio.create_task(node.write([Operation("set", "b", b"small")]))
    read = asyncio.create_task(value(node, b"a"))
    await asyncio.sleep(0)  # both have started
    disk.set()
    done = await asyncio.gather(first, second, read, return_exceptions=True)
    assert [type(each) for each in done] == [NotStored] * 3


async def is_committing(node: Node) -> bool:
    return node._commits._running is not None


async def test_a_store_that_cannot_even_go_back_answers_nothing_more(node: Node, tmp_path: Path) -> None:
    node._database._sql.close()
    with pytest.raises(NotStored, match="cannot write"):
        await node.write([Operation("set", "a")])
    with pytest.raises(NotStored, match="restart it"):
        await value(node, b"a")


async def test_a_refused_write_answers_500(tmp_path: Path) -> None:
    async with served(tmp_path / "store.db") as (server, client):
        fill_disk(server._node)
        answer = await client.put("a", b"x" * 100_000)
        assert answer.status == 500
        assert "cannot write its database" in answer.text
        assert (await client.get("a")).status == 404


async def test_sessions_end_and_tombstones_go_as_time_passes(tmp_path: Path) -> None:
    now = 0.0
    node = Node(tmp_path / "store.db", clock=lambda: now)
    session = await node.create_session(Request(ttl="10s"))
    await node.write([Operation("lock", "lock", session=session.id)])
    await node.write([Operation("set", "tree/a")])
    await node.write([Operation("delete", "tree/a")])
    now = 19.0
    assert await node.renew_session(session.id)
    now = 38.0
    node.sweep()
    assert node._state.sessions
    now = 39.0
    node.sweep()
    assert node._state.get(b"lock")[1]
    assert not node._state.locked
    assert await node.renew_session(session.id) is None
    now = 15 * 60.0
    node.sweep()
    assert len(node._state.tombstones) == 0
    await node.close()
    again = Node(tmp_path / "store.db")
    assert not again._state.sessions
    assert len(again._state.tombstones) == 0
    await again.close()
