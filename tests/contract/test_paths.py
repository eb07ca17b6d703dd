"""Paths, methods and what is not there at all."""

from urllib.parse import quote

import pytest

from tests.support.rest import Rest


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("a//b", "a/b"),
        ("a/./b?raw", "a/b?raw"),
        ("a/../b", "b"),
        ("a/%2e%2e/b", "b"),
        ("a/..%2Fb", "b"),
        ("a//?recurse", "a/?recurse"),
        ("a//%C3%A9%20%3F", "a/%C3%A9%20%3F"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unclean_path_is_sent_to_another_key(store: Rest, method: str, asked: str, location: str) -> None:
    answer = await store.call(method, f"/v1/kv/{store.prefix}/{asked}")
    assert answer.status == 301
    assert answer.headers["Location"] == f"/v1/kv/{store.prefix}/{location}"


@pytest.mark.usefixtures("any_key")
async def test_a_key_is_the_decoded_path(store: Rest) -> None:
    await store.put("a%2Fb+c%20d%3F", b"x")
    assert (await store.get("a/", "keys")).json == [f"{store.prefix}/a/b+c d?"]
    assert (await store.get("a/b+c d%3f".replace(" ", "%20"), "raw")).body == b"x"


@pytest.mark.usefixtures("any_key")
async def test_a_key_of_4_kilobytes_is_a_key(store: Rest) -> None:
    key = quote("é" * 2048)
    assert (await store.put(key, b"x")).text == "true"
    assert (await store.get(key, "raw")).body == b"x"


async def test_a_trailing_slash_is_part_of_the_key(store: Rest) -> None:
    await store.put("a/", b"folder")
    assert (await store.get("a")).status == 404
    assert (await store.get("a/", "raw")).body == b"folder"


@pytest.mark.usefixtures("any_key")
async def test_bytes_that_are_no_utf8_are_a_key_of_their_own(store: Rest) -> None:
    await store.put("%FF", b"1")
    await store.put("%FE", b"2")
    assert (await store.get("%FF", "raw")).body == b"1"
    assert (await store.get("%FE", "raw")).body == b"2"
    assert (await store.get("", "keys")).json == [f"{store.prefix}/\ufffd"] * 2


async def test_a_broken_escape_is_a_bad_request(store: Rest) -> None:
    assert (await store.call("GET", "/v1/kv/%zz")).status == 400


@pytest.mark.parametrize(
    "path", ["/v1/nope", "/nope", "/v1", "/v1/kvx", "/v1/txn/", "/v1/session", "/v1/session/list/x"]
)
async def test_an_unknown_path_answers_404(store: Rest, path: str) -> None:
    assert (await store.call("GET", path)).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/kv/a", "OPTIONS,GET,PUT,DELETE"),
        ("GET", "/v1/txn", "OPTIONS,PUT"),
        ("GET", "/v1/session/create", "OPTIONS,PUT"),
        ("POST", "/v1/session/list", "OPTIONS,GET"),
        ("PUT", "/v1/status/leader", "OPTIONS,GET"),
        ("GET", "/v1/internal/acl/authorize", "OPTIONS,POST"),
    ],
)
async def test_another_method_answers_405_with_those_allowed(store: Rest, method: str, path: str, allow: str) -> None:
    answer = await store.call(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allow)
    assert answer.text == f"method {method} not allowed"
    options = await store.call("OPTIONS", path)
    assert (options.status, options.headers["Allow"]) == (200, allow)


async def test_a_store_names_its_leader_peers_and_datacenter(store: Rest) -> None:
    leader = (await store.call("GET", "/v1/status/leader")).json
    assert leader.startswith("127.0.0.1:")
    assert (await store.call("GET", "/v1/status/peers")).json == [leader]
    assert (await store.call("GET", "/v1/catalog/datacenters")).json == ["dc1"]


async def test_an_agent_describes_itself(store: Rest) -> None:
    about = (await store.call("GET", "/v1/agent/self")).json
    assert about["Config"]["Datacenter"] == "dc1"
    assert about["Config"]["Version"]
    (member,) = (await store.call("GET", "/v1/agent/members")).json
    assert member["Name"] == about["Config"]["NodeName"] == about["Member"]["Name"]


async def test_without_acls_everything_is_allowed_and_the_question_refused(store: Rest) -> None:
    question = [{"Resource": "key", "Access": "write-prefix", "Segment": store.prefix}]
    answer = await store.call("POST", "/v1/internal/acl/authorize", question)
    assert (answer.status, answer.text) == (401, "ACL support disabled")
    assert (await store.call("GET", store.path("", "keys"), headers={"X-Consul-Token": "any"})).status == 404
