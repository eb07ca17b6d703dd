"""Snapshots of the embedded store: whole or not at all, and never taken for a Consul's."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from syncd.core.errors import Damaged
from syncd.embedded.errors import NotOurs, NotStored
from syncd.embedded.node import Node
from syncd.embedded.records import Entry, Session
from syncd.embedded.snapshots import Incoming, write
from syncd.embedded.state import Image, Indexes
from syncd.embedded.verbs import Operation
from syncd.embedded.watches import Kind, Topic
from tests.support import snapshots as byhand
from tests.support.consul import ConsulAgent, consul_binary
from tests.support.rest import Rest
from tests.unit.embedded.test_durability import fill_disk, process, served

NUMBERS = st.integers(0, 2**63)
ENTRIES = st.builds(
    lambda value, flags, session, one, two, three: (value, flags, session, one, two, three),
    st.binary(max_size=20).map(lambda value: value or None),
    st.integers(0, 2**64 - 1),
    st.sampled_from([UNSET, "a-session"]),
    NUMBERS,
    NUMBERS,
    NUMBERS,
)
SESSION = Session("a-session", "né", "syncd", 15, "delete", "10s", ("serfHealth",), None, 3, 4)


def image_of(content: bytes) -> Image:
    incoming = Incoming()
    for at in range(0, len(content), 100):
        incoming.feed(content[at : at + 100])
    return incoming.finish()


@given(
    st.dictionaries(st.binary(min_size=1, max_size=9), ENTRIES), NUMBERS, NUMBERS, st.dictionaries(st.binary(), NUMBERS)
)
def test_what_is_written_is_what_is_read(
    entries: dict[bytes, tuple[bytes | None, int, str, int, int, int]], last: int, keys: int, buried: dict[bytes, int]
) -> None:
    made = {
        key: Entry(lock, key.decode("utf-8", "replace"), flags, value, session, created, modified)
        for key, (value, flags, session, lock, created, modified) in entries.items()
    }
    image = Image(Indexes(last, keys, 3), made, buried, {SESSION.id: SESSION})
    assert image_of(b"".join(write(image))) == image


def test_a_consul_s_snapshot_is_told_by_its_description() -> None:
    with pytest.raises(NotOurs):
        image_of(byhand.snapshot(byhand.kv("a")))


def ours(*records: tuple[int, object]) -> bytes:
    state = byhand.state(records)
    return byhand.archive(state, meta_json=byhand.meta(len(state), Version=100))


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ((99, {}), "kind 99"),
        ((2, {"Key": "a", "Flags": "x"}), "holds a bytes where a int belongs"),
        ((2, {"Key": 1}), "holds a int where a bytes belongs"),
        ((3, {"ID": "x"}), "session's record"),
        ((3, {"ID": b"\xff"}), "session's record"),
        ((5, {}), "holds a NoneType where a bytes belongs"),
    ],
)
def test_a_record_that_is_not_understood_refuses_all(record: tuple[int, object], fault: str) -> None:
    with pytest.raises(Damaged, match=fault):
        image_of(ours(byhand.kv("a"), record))


def test_an_index_of_something_else_is_passed_over() -> None:
    assert image_of(ours((16, {"Key": "nodes", "Value": 7}))).indexes == Indexes(last=byhand.INDEX)


async def test_a_refusal_says_what_to_do(tmp_path: Path) -> None:
    async with served(tmp_path / "store.db") as (_, client):
        await client.put("a", b"kept")
        answer = await client.call("PUT", "/v1/snapshot", byhand.snapshot(byhand.kv("a")))
        assert answer.status == 400
        assert "one of a Consul" in answer.text
        assert "consul kv import" in answer.text
        assert (await client.entry("a"))["Value"] == b"kept"


@pytest.mark.consul
async def test_a_real_consul_refuses_ours_and_stays_as_it_is(consul: ConsulAgent, prefix: str, tmp_path: Path) -> None:
    consul.put(f"{prefix}/a", b"kept")
    async with served(tmp_path / "store.db") as (_, client):
        await client.put("evil")
        archive = (await client.call("GET", "/v1/snapshot")).body
    status, _, said = consul.request("PUT", "/v1/snapshot", archive)
    assert (status, said) == (500, b"Raft error when restoring snapshot: unsupported snapshot version 100")
    assert consul.get(f"{prefix}/a") == b"kept"


@pytest.mark.consul
async def test_consul_s_own_commands_save_it_and_put_it_back(tmp_path: Path) -> None:
    async def consul(*words: str) -> None:
        environment = {"CONSUL_HTTP_ADDR": client.address}
        await asyncio.to_thread(
            subprocess.run, [consul_binary(), "snapshot", *words], env=environment, check=True, capture_output=True
        )

    async with served(tmp_path / "store.db") as (_, client):
        await client.put("a", b"old")
        await consul("save", str(tmp_path / "a.snap"))
        await client.put("a", b"new")
        await consul("restore", str(tmp_path / "a.snap"))
        assert (await client.entry("a"))["Value"] == b"old"


async def test_a_snapshot_is_of_one_moment_while_writes_go_on(tmp_path: Path) -> None:
    """Each transaction sets two keys to one number: no snapshot may show two."""

    async def write_on(client: Rest) -> None:
        for number in range(1_000_000):
            text = str(number).encode()
            await client.transact(*({"Verb": "set", "Key": key, "Value": text} for key in ("first", "last")))

    async with served(tmp_path / "store.db") as (_, client):
        filling = Random(1).randbytes(200_000)
        for number in range(20):
            await client.put(f"middle/{number}", filling)
        writing = asyncio.create_task(write_on(client))
        seen: set[bytes | None] = set()
        while len(seen) < 5:
            image = image_of((await client.call("GET", "/v1/snapshot")).body)
            found = {entry.value for key, entry in image.entries.items() if b"/middle/" not in key}
            assert len(found) <= 1
            seen |= found
        writing.cancel()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
async def test_kill_9_while_it_is_put_back_leaves_the_old_or_the_new_whole(tmp_path: Path, seconds: float) -> None:
    saved = {b"saved/%d" % number: Entry(0, f"saved/{number}", 0, b"x" * 400) for number in range(5_000)}
    archive = b"".join(write(Image(entries=saved)))
    acknowledged = False
    async with process(tmp_path / "store.db") as (running, client):
        await client.transact(*({"Verb": "set", "Key": str(number)} for number in range(100)))
        restoring = asyncio.create_task(client.call("PUT", "/v1/snapshot", archive))
        await asyncio.wait([restoring], timeout=seconds)
        running.kill()
        with suppress(aiohttp.ClientError):
            acknowledged = (await restoring).status == 200
    async with served(tmp_path / "store.db") as (_, client):
        found = (await client.call("GET", "/v1/kv/?keys")).json
        restored = sum(key.startswith("saved/") for key in found)
        assert (restored, len(found)) in ({(5_000, 5_000)} if acknowledged else {(5_000, 5_000), (0, 100)})


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    opened = Node(tmp_path / "store.db")
    yield opened
    await opened.close()


async def test_a_full_disk_refuses_it_and_leaves_everything(node: Node) -> None:
    await node.write([Operation("set", "a", b"kept")])
    fill_disk(node)
    large = {b"b": Entry(0, "b", 0, b"lost" * 10_000)}
    with pytest.raises(NotStored):
        await node.restore(Image(entries=large))
    index, entry = await node.read(Topic(Kind.KEY, b"a"), lambda state: state.get(b"a"))
    assert entry is not None
    assert (index, entry.value) == (2, b"kept")


async def test_syncd_takes_and_reads_it(tmp_path: Path) -> None:
    async def syncd(*words: str) -> str:
        environment = {"CONSUL_HTTP_ADDR": client.address, "SYNCD_STATE_DIRECTORY": str(tmp_path / "state")}
        done = await asyncio.create_subprocess_exec(
            *(".venv/bin/syncd", "snapshot", *words), env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert done.stdout is not None
        told = (await done.stdout.read()).decode()
        assert await done.wait() == 0
        return told

    async with served(tmp_path / "store.db") as (_, client):
        await client.put("a", b"value", "flags=7")
        path = json.loads(await syncd("take", "--output", "json"))["file"]
        assert "sound" in await syncd("verify", path)
        assert "syncd's embedded store; no Consul takes it" in await syncd("inspect", path)
        assert await syncd("show", path, f"{client.prefix}/a") == "value"
        (exported,) = json.loads(await syncd("extract", path, "--prefix", client.prefix))
        assert exported == {"key": f"{client.prefix}/a", "flags": 7, "value": "dmFsdWU="}
