"""``/v1/snapshot``, on stores of the test's own: what comes back, and what whoever watches is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from syncd.embedded.server import start
from tests.support.consul import start_agent
from tests.support.rest import Rest


@pytest.fixture(scope="module")
def own_consul() -> Iterator[str]:
    """An agent whose whole state this module may replace."""
    with start_agent() as agent:
        yield agent.address


@pytest.fixture
async def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if kind == "consul":
        yield request.getfixturevalue("own_consul")
        return
    server = await start(tmp_path / "store.db", port=0)
    yield server.address
    await server.close()


async def take(store: Rest) -> bytes:
    answer = await store.call("GET", "/v1/snapshot")
    assert answer.status == 200
    return answer.body


async def restore(store: Rest, archive: bytes) -> None:
    answer = await store.call("PUT", "/v1/snapshot", archive)
    assert (answer.status, answer.body) == (200, b"")


async def test_the_answer_says_where_it_stands_and_what_it_is(store: Rest) -> None:
    await store.put("a")
    answer = await store.call("GET", "/v1/snapshot")
    assert answer.index >= await store.index("a")
    assert answer.headers["X-Consul-KnownLeader"] == "true"
    assert answer.headers["Content-Type"] == "application/x-gzip"


async def test_keys_come_back_with_their_old_indexes_and_writes_go_on_above(store: Rest) -> None:
    await store.put("a", b"old", "flags=7")
    await store.put("gone/b", b"\xff\x00")
    before = await store.get("", "recurse")
    archive = await take(store)
    await store.put("a", b"new")
    await store.put("since", b"x")
    await store.delete("gone/b")
    newest = await store.index("since")
    await restore(store, archive)
    after = await store.get("", "recurse")
    assert (after.json, after.index) == (before.json, before.index)
    await store.put("next")
    assert await store.index("next") > newest


async def test_locks_and_sessions_come_back(store: Rest) -> None:
    session = await store.session(Name="mine", TTL="3600s")
    await store.put("lock", b"held", f"acquire={session}")
    archive = await take(store)
    await store.destroy(session)
    await store.put("lock", b"free")
    await restore(store, archive)
    assert (await store.entry("lock"))["Session"] == session
    (found,) = (await store.call("GET", f"/v1/session/info/{session}")).json
    assert (found["Name"], found["TTL"]) == ("mine", "3600s")
    assert (await store.put("lock", b"mine", f"acquire={session}")).json is True
    assert (await store.destroy(session)).json is True


@pytest.mark.parametrize("query", ["recurse", "keys"])
async def test_who_watches_is_woken_with_what_it_knew_and_reads_the_old_next(store: Rest, query: str) -> None:
    await store.put("a", b"old")
    archive = await take(store)
    await store.put("a", b"new")
    await store.put("b", b"new")
    before = await store.get("", query)
    parked = store.parked("", f"{query}&index={before.index}&wait=60s")
    while not parked.done():  # it may not have been parked yet when the first one came
        await restore(store, archive)
        await asyncio.sleep(0)
        if not parked.done():
            await asyncio.wait([parked], timeout=0.2)
    told = await parked
    later = await store.get("", query)
    assert later.index < before.index
    assert (told.index, told.body) in {(before.index, before.body), (later.index, later.body)}


async def test_what_is_no_snapshot_is_refused_and_changes_nothing(store: Rest) -> None:
    await store.put("a", b"kept")
    archive = await take(store)
    for damaged in (b"", b"junk", archive[:-20], archive[:200] + b"x" + archive[201:]):
        assert (await store.call("PUT", "/v1/snapshot", damaged)).status in (400, 500)
    assert (await store.entry("a"))["Value"] == b"kept"


async def test_other_methods_are_named(store: Rest) -> None:
    answer = await store.call("POST", "/v1/snapshot")
    assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS,GET,PUT")
    assert (await store.call("GET", "/v1/snapshot?dc=elsewhere")).status == 500
