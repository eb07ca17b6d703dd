"""Watching a part of the keys through the store room, on both stores."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.rest import Rest

SOON = 0.3


@pytest.fixture
async def live(address: str, store: Rest) -> AsyncIterator[Store]:
    async with Store(resolve_endpoint({}, address=address), store.prefix) as live:
        yield live


async def values(live: Store, part: str, index: int = 0, *, exact: bool = False) -> dict[str, bytes]:
    found, _ = await live.watch_prefix(part, index, exact=exact, wait=SOON)
    return {key: entry.value for key, entry in (found or {}).items()}


async def test_a_part_is_every_key_that_begins_so_wherever_the_segments_end(live: Store, store: Rest) -> None:
    for key in ("brain/model", "brain/mode", "brain", "brainy", "tts/voice", ".syncd/revision"):
        await store.put(key, key.encode())
    assert set(await values(live, "brain/mod")) == {"brain/model", "brain/mode"}
    assert set(await values(live, "b")) == {"brain/model", "brain/mode", "brain", "brainy"}
    assert "tts/voice" in await values(live, "")
    assert ".syncd/revision" not in await values(live, "")
    assert await values(live, ".s") == {}
    assert await values(live, "brain", exact=True) == {"brain": b"brain"}


@pytest.mark.usefixtures("any_key")
async def test_a_part_may_end_in_any_character(live: Store, store: Rest) -> None:
    for key in ("a%2Fb", "a%2Gb", "a b", "a?x", "maçã", "ma本"):
        await store.put(quote(key), b"v")
    assert set(await values(live, "a%2F")) == {"a%2Fb"}
    assert set(await values(live, "a%")) == {"a%2Fb", "a%2Gb"}
    assert set(await values(live, "a ")) == {"a b"}
    assert set(await values(live, "a?")) == {"a?x"}
    assert set(await values(live, "maç")) == {"maçã"}


async def test_a_write_wakes_the_watch_of_its_part_with_all_of_its_keys(live: Store, store: Rest) -> None:
    for key in ("a1", "a2", "b1"):
        await store.put(key, b"old")
    index = (await live.listing()).index
    first = asyncio.create_task(live.watch_prefix("a", index))
    second = asyncio.create_task(live.watch_prefix("b", index, wait=SOON))
    await store.put("a2", b"new")
    found, after = await first
    assert after > index
    assert {key: entry.value for key, entry in (found or {}).items()} == {"a1": b"old", "a2": b"new"}
    assert (await second)[1] <= index


async def test_a_part_whose_last_key_goes_is_empty_at_a_higher_index(live: Store, store: Rest) -> None:
    await store.put("a1")
    await store.put("b1")
    index = (await live.listing()).index
    watch = asyncio.create_task(live.watch_prefix("a", index))
    await store.delete("a1")
    found, after = await watch
    assert found == {}
    assert after > index


async def test_a_key_that_is_watched_alone_tells_its_end(live: Store, store: Rest) -> None:
    await store.put("a")
    await store.put("a/1")
    index = (await live.listing()).index
    watch = asyncio.create_task(live.watch_prefix("a", index, exact=True))
    await store.delete("a")
    found, after = await watch
    assert found == {}
    assert after > index


async def test_nothing_is_read_where_the_index_stays(live: Store, store: Rest) -> None:
    await store.put("a1")
    _, index = await live.watch_prefix("a", 0, wait=SOON)
    assert await live.watch_prefix("a", index, wait=SOON) == (None, index)


async def test_names_are_those_of_all_keys(live: Store, store: Rest) -> None:
    assert await live.names() == []
    for key in ("a", "a/b", ".syncd/revision"):
        await store.put(key)
    assert sorted(await live.names()) == [".syncd/revision", "a", "a/b"]


async def test_what_moved_can_be_asked_without_reading_it(live: Store, store: Rest) -> None:
    for key in ("a/1", "a/2", "b/1"):
        await store.put(key, b"old")
    before, beside = await live.moved("a"), await live.moved("b")
    waiting = asyncio.create_task(live.moved("a", before))
    await store.put("a/2", b"new")
    after = await waiting
    assert after == await live.moved("a") == await store.index("a/2") > before
    assert await live.moved("b") == beside
    await store.delete("a/2")
    assert await live.moved("a", after) > after
