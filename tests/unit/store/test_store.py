"""The Store on a real Consul."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import AsyncIterator

import msgspec
import pytest

from syncd.core.desired import DesiredKey, Policy
from syncd.core.errors import Conflict, NotFound, StoreError, TooLarge, Unreachable
from syncd.core.live import Entry
from syncd.store.answers import FOUND
from syncd.store.endpoint import resolve_endpoint
from syncd.store.listing import Gathering
from syncd.store.pieces import PIECE, Pieces
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, consul_version, free_port

ODD = ["a b", "%", "%2F", "?x=1", "#", "a+b", "a&b=c", "ação/café", "x:y@z;,$!*'()~", '"quoted"', "back\\slash", "},{"]


@pytest.fixture
async def store(consul: ConsulAgent, prefix: str) -> AsyncIterator[Store]:
    async with Store(resolve_endpoint({}, address=consul.address), prefix) as store:
        yield store


def operations(*kv: dict[str, object]) -> bytes:
    return json.dumps([{"KV": each} for each in kv]).encode()


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


# -- reading


async def test_a_prefix_without_keys_is_an_empty_list(store: Store) -> None:
    listing = await store.listing()
    assert listing.entries == {}
    assert listing.own == {}
    assert listing.index > 0


async def test_a_list_tells_configuration_and_own_keys_apart(store: Store, consul: ConsulAgent, prefix: str) -> None:
    consul.put(f"{prefix}/brain/model", b"qwen2.5:3b", flags=9_007_199_254_740_991)
    consul.put(f"{prefix}/empty", b"")
    consul.put(f"{prefix}/binary", b"\x00\xff")
    consul.put(f"{prefix}/.syncd/revision", b"{}")
    consul.put(f"{prefix}/.syncd/snapshots/claim", b"x")
    listing = await store.listing()
    assert {key: entry.value for key, entry in listing.entries.items()} == {
        "brain/model": b"qwen2.5:3b",
        "empty": b"",
        "binary": b"\x00\xff",
    }
    assert listing.entries["brain/model"].flags == 9_007_199_254_740_991
    assert set(listing.own) == {"revision", "snapshots/claim"}
    assert listing.index == listing.own["snapshots/claim"].index


async def test_neighbours_that_begin_alike_are_not_listed(store: Store, consul: ConsulAgent, prefix: str) -> None:
    for name in (f"{prefix}2/a", f"{prefix}-old", prefix):
        consul.put(name, b"not ours")
    consul.put(f"{prefix}/a", b"ours")
    try:
        assert {key: entry.value for key, entry in (await store.listing()).entries.items()} == {"a": b"ours"}
    finally:
        consul.delete_tree(prefix)


async def test_an_empty_prefix_lists_the_whole_store(consul: ConsulAgent, prefix: str) -> None:
    consul.put(f"{prefix}/a", b"1")
    consul.put(".syncd/revision", b"{}")
    async with Store(resolve_endpoint({}, address=consul.address), "") as store:
        listing = await store.listing()
        assert f"{prefix}/a" in listing.entries
        assert "revision" in listing.own
        assert await store.get(f"{prefix}/a") is not None
        assert await store.may_write()
    consul.delete(".syncd/revision")


@pytest.mark.skipif("consul_version() >= (1, 21, 0)", reason="from 1.21 on Consul refuses some of these keys")
@pytest.mark.parametrize("key", ODD)
async def test_any_key_survives_the_way_there_and_back(store: Store, prefix: str, key: str) -> None:
    value = key.encode()
    await store.transact(operations({"Verb": "set", "Key": f"{prefix}/{key}", "Value": text(value)}))
    found = await store.get(key)
    assert found is not None
    assert found.value == value
    assert (await store.listing()).entries == {key: found}
    assert await store.put_cas(key, b"large", 3, found.index) > found.index
    assert await store.get(key) == Entry(b"large", 3, (await store.listing()).entries[key].index)


async def test_a_key_that_consul_would_rename_is_an_error(store: Store) -> None:
    for key in ("a//b", "a/./b", "a/../b"):
        with pytest.raises(StoreError, match="redirect"):
            await store.get(key)


async def test_a_missing_key_is_proved_absent(store: Store) -> None:
    assert await store.get("nothing") is None
    assert await store.own("revision") is None


async def test_a_list_of_several_pieces_is_whole(store: Store, prefix: str) -> None:
    expected = {}
    for number in range(12):
        value = bytes([number]) * 300_000
        expected[f"large{number:02}"] = value
        await store.put_cas(f"large{number:02}", value, 1, 0)
    assert {key: entry.value for key, entry in (await store.listing()).entries.items()} == expected


async def test_what_git_says_too_is_held_once(store: Store, consul: ConsulAgent, prefix: str) -> None:
    key, other = "".join(("brain/", "model")), "".join(("brain/", "size"))
    said = {
        key: DesiredKey(bytes([65] * 40), "brain.yaml", 1, 1, False, Policy()),
        other: DesiredKey(b"git says so", "brain.yaml", 2, 1, False, Policy()),
    }
    consul.put(f"{prefix}/{key}", said[key].value)
    consul.put(f"{prefix}/{other}", b"the store differs")
    listing = await store.listing(said)
    assert listing.entries[key].value is said[key].value
    assert listing.entries[other].value == b"the store differs"
    assert {id(each) for each in listing.entries} == {id(key), id(other)}


def test_a_long_list_never_stands_in_memory_whole() -> None:
    entry = {"LockIndex": 0, "Key": "p/k", "Flags": 0, "Value": text(b"x" * 150), "CreateIndex": 1, "ModifyIndex": 1}
    portion = (json.dumps(entry) + ",").encode() * 250
    pieces = Pieces(FOUND.decode)
    tracemalloc.start()
    pieces.feed(b"[")
    for _ in range(20 * PIECE // len(portion)):
        pieces.feed(portion)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * PIECE


def test_equal_flags_and_indexes_of_a_list_are_held_once() -> None:
    big = 2**40
    body = [{"Key": f"p/{n}", "Value": None, "Flags": big, "ModifyIndex": big + 1} for n in range(3)]
    gathering = Gathering("p", None, where="")
    gathering.add(FOUND.decode(json.dumps(body)))
    entries = gathering.finish(1).entries.values()
    assert len({id(entry.flags) for entry in entries}) == 1
    assert len({id(entry.index) for entry in entries}) == 1


# -- watching


async def test_a_watch_answers_at_once_without_an_index(store: Store) -> None:
    entry, index = await store.watch_own("control", 0)
    assert entry is None
    assert index > 0


async def test_a_watch_wakes_when_the_key_is_written_and_when_it_goes(
    store: Store, consul: ConsulAgent, prefix: str
) -> None:
    consul.put(f"{prefix}/.syncd/control", b"1")
    entry, index = await store.watch_own("control", 0)
    assert entry is not None
    waiting = asyncio.create_task(store.watch_own("control", index))
    consul.put(f"{prefix}/.syncd/control", b"2")
    entry, moved = await waiting
    assert entry is not None
    assert entry.value == b"2"
    assert moved > index
    waiting = asyncio.create_task(store.watch_own("control", moved))
    consul.delete(f"{prefix}/.syncd/control")
    entry, gone = await waiting
    assert entry is None
    assert gone > moved


async def test_one_watch_wakes_for_any_of_syncds_own_keys_and_for_no_others(
    store: Store, consul: ConsulAgent, prefix: str
) -> None:
    assert (await store.watch_all_own(0))[0] == {}
    consul.put(f"{prefix}/.syncd/control", b"1")
    consul.put(f"{prefix}/.syncd/revision", b"1")
    own, index = await store.watch_all_own(0)
    assert {name: entry.value for name, entry in own.items()} == {"control": b"1", "revision": b"1"}
    consul.put(f"{prefix}/.syncd.yaml", b"1")
    consul.put(f"{prefix}/a", b"1")
    assert await store.watch_all_own(index, wait=0.05) == (own, index)
    waiting = asyncio.create_task(store.watch_all_own(index))
    consul.put(f"{prefix}/.syncd/revision", b"2")
    own, moved = await waiting
    assert (own["revision"].value, moved > index) == (b"2", True)
    waiting = asyncio.create_task(store.watch_all_own(moved))
    consul.delete(f"{prefix}/.syncd/control")
    own, gone = await waiting
    assert (set(own), gone > moved) == ({"revision"}, True)


async def test_a_watch_that_nothing_wakes_ends_with_its_wait(store: Store, consul: ConsulAgent, prefix: str) -> None:
    consul.put(f"{prefix}/.syncd/control", b"1")
    found, index = await store.watch_own("control", 0)
    assert await store.watch_own("control", index, wait=0.05) == (found, index)


async def test_an_index_from_the_future_comes_back_as_it_is(store: Store, consul: ConsulAgent, prefix: str) -> None:
    consul.put(f"{prefix}/.syncd/control", b"1")
    _, index = await store.watch_own("control", 0)
    assert (await store.watch_own("control", index + 1000, wait=0.05))[1] == index


# -- writing


async def test_a_transaction_returns_the_index_of_what_it_wrote(store: Store, prefix: str) -> None:
    first = await store.transact(operations({"Verb": "set", "Key": f"{prefix}/a", "Value": text(b"1")}))
    second = await store.transact(
        operations(
            {"Verb": "check-index", "Key": f"{prefix}/a", "Index": first},
            {"Verb": "cas", "Key": f"{prefix}/b", "Value": text(b"2"), "Index": 0},
            {"Verb": "cas", "Key": f"{prefix}/c", "Value": text(b"3"), "Index": 0},
        )
    )
    assert second > first
    listing = await store.listing()
    assert [listing.entries[key].index for key in "abc"] == [first, second, second]


async def test_a_transaction_of_deletes_alone_tells_no_index(store: Store, prefix: str) -> None:
    index = await store.transact(operations({"Verb": "set", "Key": f"{prefix}/a", "Value": text(b"1")}))
    assert await store.transact(operations({"Verb": "delete-cas", "Key": f"{prefix}/a", "Index": index})) == 0
    assert await store.get("a") is None


async def test_a_lost_race_writes_nothing_and_says_why(store: Store, prefix: str) -> None:
    await store.transact(operations({"Verb": "set", "Key": f"{prefix}/a", "Value": text(b"1")}))
    with pytest.raises(Conflict) as caught:
        await store.transact(
            operations(
                {"Verb": "set", "Key": f"{prefix}/b", "Value": text(b"2")},
                {"Verb": "cas", "Key": f"{prefix}/a", "Value": text(b"2"), "Index": 1},
                {"Verb": "check-index", "Key": f"{prefix}/a", "Index": 1},
            )
        )
    assert len(caught.value.failures) == 2
    assert "index is stale" in caught.value.failures[0]
    assert await store.get("b") is None


async def test_too_many_operations_are_too_large(store: Store, prefix: str) -> None:
    sets: list[dict[str, object]] = [{"Verb": "set", "Key": f"{prefix}/{number}", "Value": ""} for number in range(129)]
    with pytest.raises(TooLarge, match="too many operations"):
        await store.transact(operations(*sets))


async def test_a_transaction_over_the_size_limit_is_too_large(store: Store, prefix: str) -> None:
    value = text(b"x" * 400_000)
    with pytest.raises(TooLarge):
        await store.transact(operations({"Verb": "set", "Key": f"{prefix}/a", "Value": value}))


async def test_a_transaction_that_is_none_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="400"):
        await store.transact(b'{"not": "a list"}')


async def test_a_large_value_is_written_once_by_compare_and_set(store: Store) -> None:
    value = b"\x00" * 524_288
    index = await store.put_cas("large", value, 7, 0)
    assert await store.get("large") == Entry(value, 7, index)
    with pytest.raises(Conflict, match="not what it was"):
        await store.put_cas("large", b"other", 7, index - 1)
    with pytest.raises(Conflict, match="not what it was"):
        await store.put_cas("absent", b"other", 7, index)
    with pytest.raises(TooLarge):
        await store.put_cas("larger", value + b"\x00", 7, 0)
    assert await store.get("larger") is None


async def test_writing_what_stands_already_is_no_conflict(store: Store) -> None:
    index = await store.put_cas("a", b"1", 7, 0)
    assert await store.put_cas("a", b"1", 7, index) == index
    assert await store.put_cas("a", b"1", 7, 0) == index
    with pytest.raises(Conflict):
        await store.put_cas("a", b"1", 8, 0)


async def test_an_order_is_written_by_compare_and_set(store: Store) -> None:
    await store.put_own("control", b"{}", index=0)
    entry = await store.own("control")
    assert entry is not None
    await store.put_own("control", b'{"paused":true}', index=entry.index)
    with pytest.raises(Conflict):
        await store.put_own("control", b"late", index=entry.index)
    assert (await store.listing()).own["control"].value == b'{"paused":true}'


# -- the lock


async def test_the_lock_has_one_holder(store: Store) -> None:
    mine, theirs = await store.create_session("one", 15), await store.create_session("two", 10.5)
    assert await store.acquire(mine, b"me")
    assert await store.acquire(mine, b"me again")
    assert not await store.acquire(theirs, b"them")
    assert not await store.release(theirs)
    held = await store.own("lease")
    assert held is not None
    assert (held.session, held.value) == (mine, b"me again")
    assert await store.release(mine)
    assert await store.acquire(theirs, b"them")
    await store.destroy_session(theirs)
    await store.destroy_session(mine)


async def test_a_session_ends_when_it_is_destroyed(store: Store) -> None:
    session = await store.create_session("one", 15)
    assert await store.renew_session(session)
    await store.destroy_session(session)
    await store.destroy_session(session)
    assert not await store.renew_session(session)
    assert not await store.acquire(session, b"me")


async def test_a_lock_is_free_at_once_when_its_session_ends(store: Store, consul: ConsulAgent) -> None:
    mine = await store.create_session("one", 15)
    await store.acquire(mine, b"me")
    consul.destroy_session(mine)
    theirs = await store.create_session("two", 15)
    assert await store.acquire(theirs, b"them")
    await store.destroy_session(theirs)


async def test_a_session_has_no_checks_and_releases(store: Store, consul: ConsulAgent) -> None:
    session = await store.create_session("syncd", 15.0)
    (found,) = consul.json("GET", f"/v1/session/info/{session}")
    assert found["Name"] == "syncd"
    assert not found.get("Checks")
    assert (found["TTL"], found["Behavior"], found["LockDelay"]) == ("15.0s", "release", 0)
    await store.destroy_session(session)


# -- who is there


async def test_the_store_says_what_it_is(store: Store, consul: ConsulAgent) -> None:
    version = ".".join(str(part) for part in consul_version())
    assert (await store.describe()).startswith(f"Consul {version}")
    assert (await store.describe()).endswith(f"at {consul.address}")
    assert await store.leader() == consul.raft_address


async def test_without_acls_everything_may_be_written(store: Store) -> None:
    assert await store.may_write()


async def test_where_nothing_answers_the_way_out_is_named() -> None:
    for address, said in (
        (f"127.0.0.1:{free_port()}", "check that the store runs there"),
        ("unix:///nowhere/consul.sock", "check that the store runs there"),
        ("localhost", "names no port"),
    ):
        async with Store(resolve_endpoint({}, address=address), "p") as store:
            with pytest.raises(Unreachable, match="nothing answers") as caught:
                await store.listing()
            assert said in caught.value.hint
            with pytest.raises(Unreachable):
                await store.transact(b"[]")


async def test_where_nobody_named_an_address_a_way_without_consul_is_named() -> None:
    endpoint = resolve_endpoint({})
    endpoint.address = msgspec.structs.replace(endpoint.address, port=free_port())
    async with Store(endpoint, "p") as store:
        with pytest.raises(Unreachable) as caught:
            await store.listing()
        assert "syncd run --embedded" in caught.value.hint


async def test_a_closed_store_opens_again(store: Store) -> None:
    await store.close()
    assert await store.get("a") is None


async def test_py_consuls_own_interface_works_on_our_transport(store: Store, consul: ConsulAgent, prefix: str) -> None:
    client = store._client
    assert await client.kv.put(f"{prefix}/a b", "1", cas=0)
    index, found = await client.kv.get(f"{prefix}/a b")
    assert found["Value"] == b"1"
    assert int(index) == found["ModifyIndex"]
    assert await client.kv.delete(f"{prefix}/a b")
    with pytest.raises(NotFound):
        await client.session.renew("00000000-0000-0000-0000-000000000000")
