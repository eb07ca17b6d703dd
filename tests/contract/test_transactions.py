"""``/v1/txn``: all or nothing, one index, failures named one by one."""

import json
from typing import Any

import pytest

from tests.support.rest import Rest

NOBODY = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"


def operation(verb: str, key: str, value: bytes | None = None, **fields: Any) -> dict[str, Any]:
    return {"Verb": verb, "Key": key, "Value": value, **fields}


async def test_changes_land_together_at_one_index(store: Rest) -> None:
    await store.put("gone")
    answer = await store.transact(
        operation("set", "a", b"1", Flags=7), operation("cas", "b", b"2", Index=0), operation("delete", "gone")
    )
    assert answer.status == 200
    assert list(answer.json) == ["Results", "Errors"]
    assert answer.json["Errors"] is None
    a, b = await store.entry("a"), await store.entry("b")
    assert (a["Value"], a["Flags"], b["Value"]) == (b"1", 7, b"2")
    assert a["ModifyIndex"] == b["ModifyIndex"] == (await store.get("gone")).index
    assert [result["KV"]["ModifyIndex"] for result in answer.json["Results"]] == [a["ModifyIndex"]] * 2


async def test_only_gets_show_values(store: Rest) -> None:
    answer = await store.transact(
        operation("set", "a", b"x"),
        operation("get", "a"),
        operation("check-not-exists", "b"),
        operation("get-tree", ""),
    )
    values = [result["KV"]["Value"] for result in answer.json["Results"]]
    assert values == [None, "eA==", "eA=="]


async def test_later_operations_see_earlier_ones(store: Rest) -> None:
    answer = await store.transact(
        operation("set", "a", b"1"),
        operation("check-not-exists", "b"),
        operation("delete", "a"),
        operation("check-not-exists", "a"),
        operation("cas", "a", b"2", Index=0),
    )
    assert answer.status == 200
    assert (await store.entry("a"))["Value"] == b"2"


async def test_one_failure_takes_everything_back(store: Rest) -> None:
    await store.put("kept", b"1")
    await store.put("tree/1")
    before = await store.get("", "recurse")
    answer = await store.transact(
        operation("set", "kept", b"2"),
        operation("set", "new", b"3"),
        operation("delete-tree", "tree/"),
        operation("delete", "kept"),
        operation("check-index", "none", Index=1),
    )
    assert answer.status == 409
    assert answer.json["Results"] is None
    after = await store.get("", "recurse")
    assert (after.body, after.index) == (before.body, before.index)


async def test_every_failing_operation_is_named(store: Rest) -> None:
    await store.put("a")
    index = await store.index("a")
    held, other = await store.session(), await store.session()
    await store.put("locked", b"", f"acquire={held}")
    a, none, locked = (f'"{store.prefix}/{key}"' for key in ("a", "none", "locked"))
    failing = {
        f"failed to set key {a}, index is stale": operation("cas", "a", b"", Index=1),
        f"failed to set key {none}, index is stale": operation("cas", "none", b"", Index=1),
        f"failed to delete key {a}, index is stale": operation("delete-cas", "a", Index=1),
        f"failed index check for key {a}, current modify index {index} != 1": operation("check-index", "a", Index=1),
        f"failed to check index, key {none} doesn't exist": operation("check-index", "none", Index=1),
        f'failed session check for key {a}, current session "" != "{held}"': operation(
            "check-session", "a", Session=held
        ),
        f"failed to check session, key {none} doesn't exist": operation("check-session", "none", Session=held),
        f"key {a} exists": operation("check-not-exists", "a"),
        f"key {none} doesn't exist": operation("get", "none"),
        f"failed to lock key {locked}, lock is already held": operation("lock", "locked", b"", Session=other),
        f"failed to unlock key {locked}, lock isn't held, or is held by another session": operation(
            "unlock", "locked", b"", Session=other
        ),
        f'invalid session "{NOBODY}"': operation("lock", "a", b"", Session=NOBODY),
        "missing session": operation("lock", "a", b""),
        'unknown KV verb "bogus"': operation("bogus", "a"),
    }
    answer = await store.transact(operation("set", "fine", b""), *failing.values())
    expected = [{"OpIndex": at, "What": text} for at, text in enumerate(failing, 1)]
    assert answer.json == {"Results": None, "Errors": expected}


async def test_a_lost_index_check_is_a_conflict_and_a_held_one_is_not(store: Rest) -> None:
    await store.put("record", b"1")
    index = await store.index("record")
    check = operation("check-index", "record", Index=index)
    assert (await store.transact(check, operation("set", "a", b"1"))).status == 200
    await store.put("record", b"2")
    assert (await store.transact(check, operation("set", "a", b"2"))).status == 409
    assert (await store.entry("a"))["Value"] == b"1"


async def test_delete_cas_of_a_missing_key_is_fine(store: Rest) -> None:
    answer = await store.transact(operation("delete-cas", "none", Index=7), operation("delete", "none"))
    assert (answer.status, answer.json["Results"]) == (200, [])


async def test_a_transaction_that_changes_nothing_keeps_the_index(store: Rest) -> None:
    await store.put("a", b"x")
    before = (await store.get("none")).index
    answer = await store.transact(operation("set", "a", b"x"))
    assert answer.json["Results"][0]["KV"]["ModifyIndex"] == await store.index("a")
    assert (await store.get("none")).index == before


async def test_a_lock_and_its_check_work_inside_one_transaction(store: Rest) -> None:
    session = await store.session()
    answer = await store.transact(
        operation("lock", "lock", b"me", Session=session),
        operation("check-session", "lock", Session=session),
        operation("set", "lock", b"still me"),
        operation("unlock", "lock", b"", Session=session),
    )
    held = [(result["KV"]["LockIndex"], result["KV"].get("Session")) for result in answer.json["Results"]]
    assert held == [(1, session), (1, session), (0, session), (0, None)]


async def test_reads_alone_are_answered_with_a_leader_and_without_an_index(store: Rest) -> None:
    await store.put("a", b"x")
    answer = await store.transact(operation("get", "a"), operation("get-tree", "none/"))
    assert answer.status == 200
    assert "X-Consul-Index" not in answer.headers
    assert answer.headers["X-Consul-Knownleader"] == "true"
    assert answer.json["Index"] == 0
    assert [result["KV"]["Value"] for result in answer.json["Results"]] == ["eA=="]


@pytest.mark.usefixtures("any_key")
async def test_a_key_is_taken_verbatim(store: Rest) -> None:
    await store.transact(operation("set", "a//b/../c ", b"x"))
    assert (await store.get("a", "keys")).json == [f"{store.prefix}/a//b/../c "]


async def test_field_names_may_be_in_any_case(store: Rest) -> None:
    body = [{"kv": {"verb": "set", "KEY": f"{store.prefix}/a", "value": "eA=="}}]
    assert (await store.call("PUT", "/v1/txn", body)).status == 200
    assert (await store.entry("a"))["Value"] == b"x"


@pytest.mark.usefixtures("any_key")
async def test_bytes_that_are_no_utf8_are_mended(store: Rest) -> None:
    body = json.dumps([{"KV": {"Verb": "set", "Key": f"{store.prefix}/_", "Value": "eA=="}}]).encode()
    assert (await store.call("PUT", "/v1/txn", body.replace(b"_", b"\xff"))).status == 200
    assert (await store.get("%EF%BF%BD", "raw")).body == b"x"


@pytest.mark.parametrize("body", [b"[]", b"null", b"[{}]"])
async def test_an_empty_transaction_does_nothing(store: Rest, body: bytes) -> None:
    answer = await store.call("PUT", "/v1/txn", body)
    assert (answer.status, answer.json["Results"], answer.json["Errors"]) == (200, [], None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        b"{}",
        b"[5]",
        b'[{"KV": 5}]',
        b'[{"KV": {"Verb": "set", "Key": "k", "Value": "!!"}}]',
        b'[{"KV": {"Verb": "set", "Key": "k", "Value": 5}}]',
        b'[{"KV": {"Verb": "set", "Key": "k", "Flags": -5}}]',
        b'[{"KV": {"Verb": "set", "Key": "k", "Flags": 18446744073709551616}}]',
        b'[{"KV": {"Verb": "set", "Key": "k", "Bogus": 1}}]',
    ],
)
async def test_a_body_that_is_no_transaction_is_refused(store: Rest, body: bytes) -> None:
    answer = await store.call("PUT", "/v1/txn", body)
    assert answer.status == 400
    assert answer.text.startswith("Failed to parse body: ")


@pytest.mark.parametrize("verb", ["set", "get", "get-tree", "check-index"])
async def test_a_key_must_be_given(store: Rest, verb: str) -> None:
    answer = await store.call("PUT", "/v1/txn", [{"KV": {"Verb": verb, "Key": ""}}])
    assert answer.status == 409
    assert answer.json["Errors"] == [{"OpIndex": 0, "What": "Must provide key"}]


async def test_64_operations_are_taken_and_more_than_128_are_not(store: Rest) -> None:
    writes = [operation("set", str(number), b"x") for number in range(129)]
    assert (await store.transact(*writes[:64])).status == 200
    answer = await store.transact(*writes)
    assert answer.status == 413
    assert answer.text.startswith("Transaction contains too many operations (129 > ")


@pytest.mark.parametrize("chunked", [None, True])
async def test_a_body_over_524288_bytes_is_refused(store: Rest, chunked: bool | None) -> None:
    body = b"[" + b" " * 524_287 + b"]"
    answer = await store.call("PUT", "/v1/txn", body, chunked=chunked)
    assert answer.status == 413
    assert "too large, max size: 524288 bytes." in answer.text
    assert (await store.call("PUT", "/v1/txn", b"[" + b" " * 524_286 + b"]", chunked=chunked)).status == 200
