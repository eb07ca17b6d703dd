"""Reads of keys, subtrees and key lists."""

from urllib.parse import quote

import pytest

from tests.support.rest import Rest


async def test_an_entry_shows_its_value_flags_and_indexes(store: Rest) -> None:
    await store.put("a", b"x", "flags=12")
    answer = await store.get("a")
    (entry,) = answer.json
    assert list(entry) == ["LockIndex", "Key", "Flags", "Value", "CreateIndex", "ModifyIndex"]
    assert (entry["LockIndex"], entry["Flags"], entry["Value"]) == (0, 12, "eA==")
    assert entry["CreateIndex"] == entry["ModifyIndex"] == answer.index
    assert answer.headers["X-Consul-Knownleader"] == "true"
    assert answer.headers["X-Consul-Lastcontact"] == "0"
    assert answer.headers["Content-Type"] == "application/json"


async def test_an_empty_value_reads_as_null(store: Rest) -> None:
    await store.put("a", b"")
    assert (await store.get("a")).json[0]["Value"] is None
    assert (await store.get("a", "raw")).body == b""


async def test_raw_is_the_value_and_nothing_else(store: Rest) -> None:
    value = bytes(range(256))
    await store.put("a", value)
    answer = await store.get("a", "raw")
    assert answer.body == value
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.index == await store.index("a")


@pytest.mark.parametrize("query", ["", "recurse", "keys", "raw"])
async def test_what_is_missing_answers_404_with_an_index_and_no_body(store: Rest, query: str) -> None:
    await store.put("other")
    answer = await store.get("none/", query)
    assert (answer.status, answer.body) == (404, b"")
    assert answer.index >= await store.index("other")


@pytest.mark.usefixtures("any_key")
async def test_recurse_lists_a_prefix_in_byte_order_not_a_folder(store: Rest) -> None:
    for key in ("b", "a/b", "a", "ab", "a/B", "é"):
        await store.put(quote(key))
    listed = [entry["Key"] for entry in (await store.get("a", "recurse")).json]
    assert [key.removeprefix(f"{store.prefix}/") for key in listed] == ["a", "a/B", "a/b", "ab"]
    everything = [entry["Key"] for entry in (await store.get("", "recurse")).json]
    assert everything == sorted(everything, key=str.encode)
    assert len(everything) == 6


@pytest.mark.usefixtures("any_key")
async def test_a_prefix_may_end_in_the_middle_of_a_letter(store: Rest) -> None:
    await store.put(quote("café"))
    answer = await store.get("caf%C3", "recurse")
    assert [entry["Key"] for entry in answer.json] == [f"{store.prefix}/café"]


async def test_the_index_of_a_prefix_is_the_highest_below_it(store: Rest) -> None:
    await store.put("a/1")
    await store.put("a/2")
    await store.put("a/1", b"again")
    await store.put("b")
    assert (await store.get("a/", "recurse")).index == await store.index("a/1")
    assert (await store.get("a/", "keys")).index == await store.index("a/1")


async def test_keys_are_cut_at_the_separator(store: Rest) -> None:
    for key in ("a", "b/1", "b/2", "b/c/3", "d/e"):
        await store.put(key)
    base = f"{store.prefix}/"
    assert (await store.get("", "keys&separator=/")).json == [base + each for each in ("a", "b/", "d/")]
    assert (await store.get("b/", "keys&separator=%2F")).json == [base + each for each in ("b/1", "b/2", "b/c/")]
    assert (await store.get("b/", "keys")).json == [base + each for each in ("b/1", "b/2", "b/c/3")]


async def test_booleans_count_by_presence(store: Rest) -> None:
    await store.put("a/b", b"x")
    assert len((await store.get("a", "recurse=false")).json) == 1
    assert (await store.get("a/b", "raw=0")).body == b"x"
    assert (await store.get("a", "keys=no")).json == [f"{store.prefix}/a/b"]


async def test_keys_win_over_recurse_and_recurse_over_raw(store: Rest) -> None:
    await store.put("a", b"x")
    assert (await store.get("a", "recurse&keys&raw")).json == [f"{store.prefix}/a"]
    assert (await store.get("a", "recurse&raw")).json[0]["Value"] == "eA=="


async def test_pretty_indents_the_same_json(store: Rest) -> None:
    await store.put("a", b"x")
    pretty = await store.get("a", "pretty")
    assert pretty.json == (await store.get("a")).json
    assert pretty.body.startswith(b'[\n    {\n        "LockIndex": 0,\n')


@pytest.mark.parametrize("query", ["consistent", "stale", "dc=dc1", "dc=", "token=any"])
async def test_harmless_parameters_change_nothing(store: Rest, query: str) -> None:
    await store.put("a", b"x")
    assert (await store.get("a", query)).json == (await store.get("a")).json


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("stale&consistent", 400, "Cannot specify ?stale with ?consistent, conflicting semantics."),
        ("dc=elsewhere", 500, "No path to datacenter"),
        ("index=x", 400, "Invalid index"),
        ("index=-1", 400, "Invalid index"),
        ("index=1&wait=x", 400, "Invalid wait time"),
        ("index=1&wait=5", 400, "Invalid wait time"),
    ],
)
async def test_what_makes_no_sense_is_refused(store: Rest, query: str, status: int, text: str) -> None:
    answer = await store.get("a", query)
    assert (answer.status, answer.text) == (status, text)


async def test_a_read_without_a_key_is_refused(store: Rest) -> None:
    answer = await store.call("GET", "/v1/kv/")
    assert (answer.status, answer.text) == (400, "Missing key name")
