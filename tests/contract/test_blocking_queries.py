"""Blocking queries: who wakes, when, and with which index.

A query that is sent before a write and arrives after it is answered at once: no test has to know when it is parked.
"""

import asyncio

import pytest

from tests.support.rest import Rest

SOON = "wait=300ms"


@pytest.mark.parametrize("query", ["", "recurse", "keys", "raw"])
async def test_a_change_wakes_who_waits_for_it(store: Rest, query: str) -> None:
    await store.put("a", b"1")
    before = (await store.get("a", query)).index
    waiting = store.parked("a", f"{query}&index={before}&wait=30s")
    await store.put("a", b"2")
    after = await waiting
    assert after.index > before
    assert after.body == (await store.get("a", query)).body


@pytest.mark.parametrize("change", ["create", "update", "delete", "delete below", "transaction"])
async def test_any_change_below_wakes_who_waits_for_a_prefix(store: Rest, change: str) -> None:
    await store.put("tree/a/1")
    before = (await store.get("tree/", "recurse")).index
    waiting = store.parked("tree/", f"recurse&index={before}&wait=30s")
    match change:
        case "create":
            await store.put("tree/b")
        case "update":
            await store.put("tree/a/1", b"2")
        case "delete":
            await store.delete("tree/a/1")
        case "delete below":
            await store.delete("tree/a/", "recurse")
        case _:
            await store.transact({"Verb": "set", "Key": "tree/c", "Value": b""})
    assert (await waiting).index > before


async def test_a_write_elsewhere_wakes_nobody(store: Rest) -> None:
    await store.put("tree/a", b"x")
    await store.put("tree2")
    before = await store.get("tree/", "recurse")
    waiting = store.parked("tree/", f"recurse&index={before.index}&{SOON}")
    await store.put("tree2", b"changed")
    await store.put("tre")
    answer = await waiting
    assert (answer.index, answer.body) == (before.index, before.body)


async def test_a_write_that_changes_nothing_wakes_nobody(store: Rest) -> None:
    await store.put("a", b"x")
    before = await store.get("a")
    waiting = store.parked("a", f"index={before.index}&{SOON}")
    await store.put("a", b"x")
    answer = await waiting
    assert (answer.index, answer.body) == (before.index, before.body)


async def test_the_birth_of_a_missing_key_wakes_who_waits_for_it(store: Rest) -> None:
    await store.put("other")
    before = (await store.get("missing")).index
    waiting = store.parked("missing", f"index={before}&wait=30s")
    await store.put("missing", b"x")
    answer = await waiting
    assert answer.status == 200
    assert answer.index > before


async def test_the_death_of_a_key_wakes_who_waits_for_it(store: Rest) -> None:
    await store.put("a")
    before = (await store.get("a")).index
    waiting = store.parked("a", f"index={before}&wait=30s")
    await store.delete("a")
    answer = await waiting
    assert answer.status == 404
    assert answer.index > before


async def test_what_changed_in_between_is_answered_at_once(store: Rest) -> None:
    await store.put("a", b"1")
    before = (await store.get("a")).index
    await store.put("a", b"2")
    assert (await store.get("a", f"index={before}&wait=10m")).json[0]["Value"] == "Mg=="


@pytest.mark.parametrize("index", ["index=0", "index="])
async def test_index_0_never_blocks(store: Rest, index: str) -> None:
    await store.put("a")
    assert (await store.get("a", f"{index}&wait=10m")).status == 200


async def test_an_index_from_the_future_waits_its_time_and_gets_the_present(store: Rest) -> None:
    await store.put("a")
    index = await store.index("a")
    answer = await store.get("a", f"index={index + 1000}&{SOON}")
    assert (answer.status, answer.index) == (200, index)


async def test_sessions_are_waited_for_too(store: Rest) -> None:
    before = (await store.call("GET", "/v1/session/list")).index
    waiting = asyncio.create_task(store.call("GET", f"/v1/session/list?index={before}&wait=30s"))
    session = await store.session()
    answer = await waiting
    assert answer.index > before
    assert session in [each["ID"] for each in answer.json]


async def test_the_end_of_a_session_wakes_who_waits_for_its_lock(store: Rest) -> None:
    session = await store.session()
    await store.put("lock", b"", f"acquire={session}")
    before = (await store.get("lock")).index
    waiting = store.parked("lock", f"index={before}&wait=30s")
    await store.destroy(session)
    assert "Session" not in (await waiting).json[0]


async def test_many_wait_and_each_gets_its_own(store: Rest) -> None:
    for number in range(50):
        await store.put(f"{number}/key", b"1")
    indexes = [(await store.get(f"{number}/", "recurse")).index for number in range(50)]
    waiting = [store.parked(f"{number}/", f"recurse&index={at}&wait=30s") for number, at in enumerate(indexes)]
    await store.transact(*({"Verb": "set", "Key": f"{number}/key", "Value": b"2"} for number in range(50)))
    answers = await asyncio.gather(*waiting)
    assert [answer.json[0]["Key"] for answer in answers] == [f"{store.prefix}/{n}/key" for n in range(50)]
    assert len({answer.index for answer in answers}) == 1
