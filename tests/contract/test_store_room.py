"""The store room on both stores: what the main job does, end to end."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from syncd.core import keys
from syncd.core.errors import Conflict
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store


@pytest.fixture
def prefix() -> str:
    return f"test/{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def live(address: str, prefix: str) -> AsyncIterator[Store]:
    async with Store(resolve_endpoint({}, address=address), prefix) as store:
        yield store


def operation(verb: str, key: str, value: bytes | None = None, **fields: object) -> dict[str, object]:
    encoded = {} if value is None else {"Value": base64.b64encode(value).decode()}
    return {"KV": {"Verb": verb, "Key": key, **encoded, **fields}}


def body(*operations: dict[str, object]) -> bytes:
    return json.dumps(operations).encode()


async def test_a_revision_lands_behind_lease_and_record(live: Store, prefix: str) -> None:
    assert await live.may_write()
    assert await live.own("revision") is None
    session = await live.create_session("syncd", 15.0)
    assert await live.acquire(session, b'{"holder":"here"}')
    fence = operation("check-session", keys.lease_key(prefix), Session=session)
    index = await live.transact(
        body(
            fence,
            operation("cas", keys.record_key(prefix), b"{}", Index=0, Flags=0),
            operation("cas", f"{prefix}/brain/model", b"qwen2.5:3b", Index=0, Flags=2**52),
        )
    )
    listing = await live.listing()
    assert {key: (entry.value, entry.flags, entry.index) for key, entry in listing.entries.items()} == {
        "brain/model": (b"qwen2.5:3b", 2**52, index)
    }
    assert listing.own["revision"].index == index
    assert listing.own["lease"].session == session
    assert listing.index >= index
    assert await live.release(session)
    await live.destroy_session(session)


async def test_a_late_batch_dies_once_the_record_has_moved(live: Store, prefix: str) -> None:
    record = keys.record_key(prefix)
    first = await live.transact(body(operation("cas", record, b"attempt 1", Index=0)))
    late = body(operation("check-index", record, Index=first), operation("cas", f"{prefix}/a", b"late", Index=0))
    second = await live.transact(body(operation("cas", record, b"attempt 2", Index=first)))
    assert second > first
    with pytest.raises(Conflict) as caught:
        await live.transact(late)
    assert "failed index check" in caught.value.failures[0]
    assert await live.get("a") is None


async def test_a_batch_of_a_lost_lease_dies(live: Store, prefix: str) -> None:
    mine, theirs = await live.create_session("one", 15), await live.create_session("two", 15)
    assert await live.acquire(mine, b"one")
    await live.destroy_session(mine)
    assert await live.acquire(theirs, b"two")
    with pytest.raises(Conflict) as caught:
        await live.transact(
            body(
                operation("check-session", keys.lease_key(prefix), Session=mine),
                operation("set", f"{prefix}/a", b"late"),
            )
        )
    assert "failed session check" in caught.value.failures[0]
    assert await live.get("a") is None
    await live.destroy_session(theirs)


async def test_an_order_wakes_whoever_watches_for_it(live: Store) -> None:
    await live.put_own("control", b"{}", index=0)
    entry, index = await live.watch_own("control", 0)
    assert entry is not None
    waiting = asyncio.create_task(live.watch_own("control", index))
    await live.put_own("control", b'{"paused":true}', index=entry.index)
    woken, moved = await waiting
    assert woken is not None
    assert woken.value == b'{"paused":true}'
    assert moved > index


async def test_a_value_that_no_transaction_holds_is_written_whole(live: Store) -> None:
    value = bytes(range(256)) * 2048
    index = await live.put_cas("large", value, 2**52, 0)
    found = await live.get("large")
    assert found is not None
    assert (found.value, found.flags, found.index) == (value, 2**52, index)
    with pytest.raises(Conflict):
        await live.put_cas("large", b"other", 2**52, 0)


async def test_a_thousand_keys_are_read_whole(live: Store, prefix: str) -> None:
    expected = {f"folder{number % 7}/key{number}": b"%d" % number * 300 for number in range(1000)}
    entries = list(expected.items())
    batches = [
        body(*(operation("cas", f"{prefix}/{key}", value, Index=0) for key, value in entries[start : start + 60]))
        for start in range(0, 1000, 60)
    ]
    await asyncio.gather(*(live.transact(batch) for batch in batches))
    assert {key: entry.value for key, entry in (await live.listing()).entries.items()} == expected
