"""Sessions and the locks they hold."""

import pytest

from tests.support.rest import Rest

NOBODY = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"


async def test_a_session_is_made_with_defaults(store: Rest) -> None:
    made = (await store.call("PUT", "/v1/session/create")).json
    answer = await store.call("GET", f"/v1/session/info/{made['ID']}")
    (session,) = answer.json
    assert session["LockDelay"] == 15_000_000_000
    assert (session["Name"], session["Behavior"], session["TTL"]) == ("", "release", "")
    assert session["NodeChecks"] == ["serfHealth"]
    assert session["CreateIndex"] == session["ModifyIndex"] == answer.index
    await store.destroy(made["ID"])


async def test_a_session_is_made_as_asked(store: Rest) -> None:
    asked = {"Name": "n", "TTL": "15s", "LockDelay": "1m1.5s", "Behavior": "delete", "Checks": []}
    made = (await store.call("PUT", "/v1/session/create", asked)).json
    (session,) = (await store.call("GET", f"/v1/session/info/{made['ID']}")).json
    assert (session["Name"], session["TTL"], session["Behavior"]) == ("n", "15s", "delete")
    assert session["LockDelay"] == 61_500_000_000
    assert session["NodeChecks"] == []
    await store.destroy(made["ID"])


@pytest.mark.parametrize(("delay", "nanoseconds"), [(15, 15 * 10**9), (10**9, 10**9), ("0s", 0)])
async def test_a_lock_delay_is_a_duration_or_seconds_or_nanoseconds(
    store: Rest, delay: str | int, nanoseconds: int
) -> None:
    session = await store.session(LockDelay=delay)
    (found,) = (await store.call("GET", f"/v1/session/info/{session}")).json
    assert found["LockDelay"] == nanoseconds
    await store.destroy(session)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"junk", 400, "Request decode failed: "),
        (b"[]", 400, "Request decode failed: "),
        (b'{"TTL": 15}', 400, "Request decode failed: "),
        (b'{"LockDelay": "x"}', 400, 'Request decode failed: time: invalid duration "x"'),
        (b'{"TTL": "x"}', 500, "Session TTL 'x' invalid: time: invalid duration \"x\""),
        (b'{"TTL": "5s"}', 500, "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"),
        (b'{"TTL": "25h"}', 500, "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]"),
        (b'{"Behavior": "x"}', 500, "Invalid Behavior setting 'x'"),
        (b'{"Node": "x"}', 500, "Missing node registration"),
        (b'{"Node": ""}', 500, "Must provide Node"),
        (b'{"Checks": ["x"]}', 500, "Missing check 'x' registration"),
    ],
)
async def test_a_senseless_session_is_refused(store: Rest, body: bytes, status: int, text: str) -> None:
    answer = await store.call("PUT", "/v1/session/create", body)
    assert answer.status == status
    assert answer.text.startswith(text)


async def test_sessions_are_listed_until_they_are_destroyed(store: Rest) -> None:
    session = await store.session(Name="listed")
    node = (await store.call("GET", "/v1/agent/self")).json["Config"]["NodeName"]
    for path in ("/v1/session/list", f"/v1/session/node/{node}", f"/v1/session/info/{session}"):
        assert session in [each["ID"] for each in (await store.call("GET", path)).json]
    assert (await store.destroy(session)).text == "true"
    for path in ("/v1/session/list", f"/v1/session/node/{node}", f"/v1/session/info/{session}"):
        assert session not in [each["ID"] for each in (await store.call("GET", path)).json]


async def test_a_session_is_renewed_without_a_new_index(store: Rest) -> None:
    session = await store.session(TTL="10s")
    before = await store.call("GET", f"/v1/session/info/{session}")
    renewed = await store.call("PUT", f"/v1/session/renew/{session}")
    assert renewed.json == before.json
    assert (await store.call("GET", f"/v1/session/info/{session}")).index == before.index
    await store.destroy(session)


async def test_an_unknown_session_is_not_renewed_but_may_be_destroyed(store: Rest) -> None:
    renewed = await store.call("PUT", f"/v1/session/renew/{NOBODY}")
    assert (renewed.status, renewed.text) == (404, f"Session id '{NOBODY}' not found")
    assert (await store.destroy(NOBODY)).text == "true"
    assert (await store.call("GET", f"/v1/session/info/{NOBODY}")).json == []


async def test_a_node_must_be_named(store: Rest) -> None:
    answer = await store.call("GET", "/v1/session/node/")
    assert (answer.status, answer.text) == (400, "Missing node name")
    assert (await store.call("GET", "/v1/session/node/nobody")).json == []


@pytest.mark.parametrize(("verb", "method"), [("info", "GET"), ("renew", "PUT"), ("destroy", "PUT")])
async def test_a_session_id_is_needed_and_has_36_characters(store: Rest, verb: str, method: str) -> None:
    missing = await store.call(method, f"/v1/session/{verb}/")
    assert (missing.status, missing.text) == (400, "Missing session")
    short = await store.call(method, f"/v1/session/{verb}/short")
    assert (short.status, short.text) == (500, "failed session lookup: index error: UUID must be 36 characters")


async def test_a_lock_is_held_by_one_session(store: Rest) -> None:
    one, two = await store.session(), await store.session()
    assert (await store.put("lock", b"one", f"acquire={one}")).text == "true"
    assert (await store.put("lock", b"two", f"acquire={two}")).text == "false"
    entry = await store.entry("lock")
    assert (entry["Session"], entry["LockIndex"], entry["Value"]) == (one, 1, b"one")
    assert (await store.put("lock", b"", f"release={two}")).text == "false"
    assert (await store.put("lock", b"", f"release={one}")).text == "true"
    assert "Session" not in await store.entry("lock")
    assert (await store.put("lock", b"two", f"acquire={two}")).text == "true"
    assert (await store.entry("lock"))["LockIndex"] == 2
    assert (await store.put("none", b"", f"release={two}")).text == "false"


async def test_acquiring_again_writes_the_value_and_resets_the_flags(store: Rest) -> None:
    session = await store.session()
    await store.put("lock", b"1", f"acquire={session}&flags=9")
    assert (await store.put("lock", b"1", f"acquire={session}")).text == "true"
    entry = await store.entry("lock")
    assert (entry["Flags"], entry["LockIndex"]) == (0, 1)
    await store.put("lock", b"1", f"acquire={session}")
    assert await store.index("lock") == entry["ModifyIndex"]


async def test_locks_are_advisory(store: Rest) -> None:
    session = await store.session()
    await store.put("lock", b"mine", f"acquire={session}")
    assert (await store.put("lock", b"theirs")).text == "true"
    entry = await store.entry("lock")
    assert (entry["Value"], entry["Session"], entry["LockIndex"]) == (b"theirs", session, 0)


async def test_a_deleted_lock_is_free(store: Rest) -> None:
    one, two = await store.session(), await store.session()
    await store.put("lock", b"", f"acquire={one}")
    await store.delete("lock")
    assert (await store.put("lock", b"", f"acquire={two}")).text == "true"


async def test_an_unknown_session_locks_nothing(store: Rest) -> None:
    answer = await store.put("lock", b"", f"acquire={NOBODY}")
    assert (answer.status, answer.text) == (500, f'invalid session "{NOBODY}"')
    assert (await store.get("lock")).status == 404


async def test_the_end_of_a_session_releases_its_locks(store: Rest) -> None:
    session = await store.session(Behavior="release")
    await store.put("lock", b"kept", f"acquire={session}&flags=5")
    before = await store.index("lock")
    await store.destroy(session)
    entry = await store.entry("lock")
    assert (entry["Value"], entry["Flags"], entry["LockIndex"]) == (b"kept", 5, 1)
    assert "Session" not in entry
    assert entry["ModifyIndex"] > before


async def test_the_end_of_a_deleting_session_deletes_what_it_locks(store: Rest) -> None:
    session = await store.session(Behavior="delete")
    await store.put("lock", b"", f"acquire={session}")
    await store.put("other")
    await store.destroy(session)
    assert (await store.get("lock")).status == 404
    assert (await store.get("other")).status == 200


async def test_a_lock_delay_keeps_others_out_after_a_session_ended_with_its_lock(store: Rest) -> None:
    one, two = await store.session(LockDelay="60s"), await store.session()
    await store.put("lock", b"", f"acquire={one}")
    await store.put("released", b"", f"acquire={one}")
    await store.put("released", b"", f"release={one}")
    await store.destroy(one)
    assert (await store.put("lock", b"", f"acquire={two}")).text == "false"
    assert (await store.put("released", b"", f"acquire={two}")).text == "true"
    inside = await store.transact({"Verb": "lock", "Key": "lock", "Value": b"", "Session": two})
    (error,) = inside.json["Errors"]
    assert error["What"] == f'failed to lock key "{store.prefix}/lock" due to lock delay'


async def test_a_fence_breaks_with_its_session(store: Rest) -> None:
    session = await store.session()
    await store.put("lease", b"", f"acquire={session}")
    fenced = (
        {"Verb": "check-session", "Key": "lease", "Session": session},
        {"Verb": "set", "Key": "a", "Value": b"x"},
    )
    assert (await store.transact(*fenced)).status == 200
    await store.destroy(session)
    assert (await store.transact(*fenced)).status == 409
