"""Plain writes, compare-and-set, deletes, and what they do to indexes."""

import pytest

from tests.support.rest import Rest

LARGEST = 524_288
HUGE = "9" * 5000


async def test_a_write_answers_true_and_no_index(store: Rest) -> None:
    answer = await store.put("a", b"x")
    assert (answer.status, answer.text) == (200, "true")
    assert "X-Consul-Index" not in answer.headers


async def test_an_update_keeps_the_create_index(store: Rest) -> None:
    await store.put("a", b"1")
    before = await store.entry("a")
    await store.put("a", b"2")
    after = await store.entry("a")
    assert after["CreateIndex"] == before["CreateIndex"]
    assert after["ModifyIndex"] > before["ModifyIndex"]


async def test_writing_what_is_there_changes_no_index(store: Rest) -> None:
    await store.put("a", b"x", "flags=3")
    before = await store.get("a")
    assert (await store.put("a", b"x", "flags=3")).text == "true"
    after = await store.get("a")
    assert (after.index, after.body) == (before.index, before.body)


async def test_a_write_without_flags_resets_them(store: Rest) -> None:
    await store.put("a", b"x", f"flags={2**64 - 1}")
    assert (await store.entry("a"))["Flags"] == 2**64 - 1
    before = await store.index("a")
    await store.put("a", b"x")
    assert (await store.entry("a"))["Flags"] == 0
    assert await store.index("a") > before


async def test_cas_0_only_creates(store: Rest) -> None:
    assert (await store.put("a", b"1", "cas=0")).text == "true"
    assert (await store.put("a", b"2", "cas=0")).text == "false"
    assert (await store.entry("a"))["Value"] == b"1"


async def test_cas_writes_at_the_index_seen_and_at_no_other(store: Rest) -> None:
    await store.put("a", b"1")
    index = await store.index("a")
    assert (await store.put("a", b"2", f"cas={index + 1000}")).text == "false"
    assert (await store.put("a", b"2", f"cas={index}")).text == "true"
    assert (await store.put("a", b"3", f"cas={index}")).text == "false"
    assert (await store.entry("a"))["Value"] == b"2"


async def test_cas_on_a_missing_key_writes_nothing(store: Rest) -> None:
    assert (await store.put("a", b"1", "cas=7")).text == "false"
    assert (await store.get("a")).status == 404


async def test_delete_cas_deletes_at_the_index_seen_and_at_no_other(store: Rest) -> None:
    await store.put("a")
    index = await store.index("a")
    assert (await store.delete("a", "cas=0")).text == "false"
    assert (await store.delete("a", f"cas={index + 1000}")).text == "false"
    assert (await store.delete("a", f"cas={index}")).text == "true"
    assert (await store.get("a")).status == 404


@pytest.mark.parametrize("query", ["", "cas=0", "cas=7", "recurse"])
async def test_deleting_what_is_missing_answers_true_and_changes_nothing(store: Rest, query: str) -> None:
    await store.put("other")
    before = (await store.get("none")).index
    assert (await store.delete("none", query)).text == "true"
    assert (await store.get("none")).index == before


async def test_a_delete_raises_the_index_of_its_prefix(store: Rest) -> None:
    await store.put("a/1")
    await store.put("a/2")
    before = (await store.get("a/", "recurse")).index
    await store.delete("a/1")
    answer = await store.get("a/", "recurse")
    assert len(answer.json) == 1
    assert answer.index > before


async def test_a_recursive_delete_takes_the_prefix_and_no_more(store: Rest) -> None:
    for key in ("a", "a/1", "a/2/3", "ab", "b"):
        await store.put(key)
    before = (await store.get("a", "recurse")).index
    await store.delete("a/", "recurse")
    left = (await store.get("", "keys")).json
    assert [key.removeprefix(f"{store.prefix}/") for key in left] == ["a", "ab", "b"]
    assert (await store.get("a", "recurse")).index > before


async def test_a_value_may_be_524288_bytes_and_not_one_more(store: Rest) -> None:
    assert (await store.put("a", b"v" * LARGEST)).text == "true"
    assert (await store.get("a", "raw")).body == b"v" * LARGEST
    answer = await store.put("b", b"v" * (LARGEST + 1))
    assert answer.status == 413
    assert "Request body(524289 bytes) too large, max size: 524288 bytes." in answer.text
    assert (await store.get("b")).status == 404


async def test_a_chunked_body_is_a_value_too(store: Rest) -> None:
    assert (await store.call("PUT", store.path("a"), b"in chunks", chunked=True)).text == "true"
    assert (await store.get("a", "raw")).body == b"in chunks"


async def test_a_compressed_body_is_stored_as_sent(store: Rest) -> None:
    await store.call("PUT", store.path("a"), b"\x1f\x8bnot really", headers={"Content-Encoding": "gzip"})
    assert (await store.get("a", "raw")).body == b"\x1f\x8bnot really"


async def test_a_body_is_taken_after_100_continue(store: Rest) -> None:
    assert (await store.call("PUT", store.path("a"), b"x" * 9000, headers={"Expect": "100-continue"})).text == "true"
    assert len((await store.get("a", "raw")).body) == 9000


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("cas=x", 500, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ("cas=", 500, 'strconv.ParseUint: parsing "": invalid syntax'),
        ("flags=-1", 500, 'strconv.ParseUint: parsing "-1": invalid syntax'),
        (f"flags={2**64}", 500, f'strconv.ParseUint: parsing "{2**64}": value out of range'),
        pytest.param(f"flags={HUGE}", 500, f'strconv.ParseUint: parsing "{HUGE}": value out of range', id="huge"),
        ("acquire=", 500, "missing session"),
        ("release=", 500, "missing session"),
        ("acquire=short", 500, "failed session lookup: index error: UUID must be 36 characters"),
        ("acquire=a&cas=1", 400, "Conflicting flags: acquire=a&cas=1"),
        ("release=b&acquire=a", 400, "Conflicting flags: acquire=a&release=b"),
        ("dc=elsewhere", 500, "No path to datacenter"),
    ],
)
async def test_a_senseless_write_is_refused(store: Rest, query: str, status: int, text: str) -> None:
    answer = await store.put("a", b"x", query)
    assert (answer.status, answer.text) == (status, text)
    assert (await store.get("a")).status == 404


async def test_a_recursive_delete_takes_no_cas(store: Rest) -> None:
    answer = await store.delete("a", "recurse&cas=1")
    assert (answer.status, answer.text) == (400, "Conflicting flags: cas=1&recurse=")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_write_without_a_key_is_refused(store: Rest, method: str) -> None:
    answer = await store.call(method, "/v1/kv/")
    assert (answer.status, answer.text) == (400, "Missing key name")
