"""Any sequence of requests gets the same answers from a real Consul and from the embedded store.

Indexes are compared by their order: Consul counts its own raft entries too. Sessions are compared by the order in which
they were made.
"""

import asyncio
import base64
import http.client
import itertools
import json
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.embedded.server import start
from tests.support.consul import ConsulAgent
from tests.support.rest import takes_any_key

KEYS = ["a", "a/", "a/b", "a/b/c", "a/bc", "ab", "b", "b/é", "b/x y"]
PREFIXES = ["", "a", "a/", "a/b", "b/", "none/"]
VALUES = [b"", b"1", b"2", b"\x00\xff"]
SESSIONS = 3  # two that release, one that deletes
NOBODY = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"
FLAGS = [None, 0, 7, 2**64 - 1]

keys = st.deferred(lambda: st.sampled_from(KEYS if takes_any_key() else KEYS[:-2]))
prefixes = st.sampled_from(PREFIXES)
values = st.sampled_from(VALUES)
flags = st.sampled_from(FLAGS)
sessions = st.integers(0, SESSIONS)  # the last is nobody
indexes = st.sampled_from(["current", "stale", "zero"])

verbs = st.one_of(
    st.tuples(st.sampled_from(["set", "cas"]), keys, values, flags, indexes, sessions),
    st.tuples(st.sampled_from(["lock", "unlock", "check-session"]), keys, values, flags, indexes, sessions),
    st.tuples(
        st.sampled_from(["get", "delete", "delete-cas", "check-index", "check-not-exists"]),
        keys,
        st.just(None),
        st.just(None),
        indexes,
        sessions,
    ),
    st.tuples(st.sampled_from(["get-tree", "delete-tree"]), prefixes, st.just(None), st.just(None), indexes, sessions),
)
steps = st.one_of(
    st.tuples(st.just("put"), keys, values, flags),
    st.tuples(st.just("cas"), keys, values, indexes),
    st.tuples(st.sampled_from(["acquire", "release"]), keys, values, sessions),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("delete cas"), keys, indexes),
    st.tuples(st.just("delete tree"), prefixes),
    st.tuples(st.just("get"), keys),
    st.tuples(st.sampled_from(["recurse", "keys", "keys&separator=/"]), prefixes),
    st.tuples(st.just("txn"), st.lists(verbs, min_size=1, max_size=5)),
    st.tuples(st.sampled_from(["destroy", "renew", "info"]), sessions),
)


class Side:
    """One of the two stores during one trace."""

    def __init__(self, port: int, prefix: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._prefix = prefix
        self.indexes: list[int] = []
        self._sessions = [self._session("release"), self._session("release"), self._session("delete"), NOBODY]
        self._ask("PUT", self._key("first"), b"so that the index of all keys is of this trace")

    def close(self) -> None:
        self._ask("DELETE", self._key("") + "?recurse")
        for session in self._sessions:
            self._ask("PUT", f"/v1/session/destroy/{session}")
        self._connection.close()

    def _session(self, behavior: str) -> str:
        fields = {"LockDelay": "0s", "Behavior": behavior}
        return str(json.loads(self._ask("PUT", "/v1/session/create", json.dumps(fields).encode())[2])["ID"])

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str | None, bytes]:
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        return answer.status, answer.headers["X-Consul-Index"], answer.read()

    def _key(self, key: str) -> str:
        return f"/v1/kv/{self._prefix}/{quote(key)}"

    def _index(self, which: str, key: str) -> int:
        if which == "zero":
            return 0
        _, _, body = self._ask("GET", self._key(key) if key else self._key("first"))
        current = json.loads(body)[0]["ModifyIndex"] if body else 1
        return int(current) if which == "current" else 1

    def do(self, step: tuple[Any, ...]) -> tuple[int, str]:
        """Do a step and return its answer without what may differ; indexes go to ``indexes``."""
        status, index, body = self._ask(*self._request(*step))
        if index:
            self.indexes.append(int(index))
        # A -dev agent indents its JSON.
        compact = json.dumps(json.loads(body)) if body[:1] in b"[{" and body else body.decode()
        return status, self._normal(compact)

    def _request(self, name: str, *rest: Any) -> tuple[str, str, bytes | None]:
        match name, *rest:
            case "put" | "cas" | "acquire" | "release", key, value, how:
                return "PUT", f"{self._key(key)}?{self._parameter(name, key, how)}", value
            case "delete", key:
                return "DELETE", self._key(key), None
            case "delete cas", key, which:
                return "DELETE", f"{self._key(key)}?cas={self._index(which, key)}", None
            case "delete tree", prefix:
                return "DELETE", f"{self._key(prefix)}?recurse", None
            case "txn", operations:
                return "PUT", "/v1/txn", json.dumps([{"KV": self._operation(*each)} for each in operations]).encode()
            case "destroy" | "renew" | "info", session:
                method = "GET" if name == "info" else "PUT"
                return method, f"/v1/session/{name}/{self._sessions[session]}", None
            case _, key:
                return "GET", self._key(key) + ("" if name == "get" else f"?{name}"), None
        raise AssertionError(name)

    def _parameter(self, name: str, key: str, how: Any) -> str:
        if name == "put":
            return "" if how is None else f"flags={how}"
        return f"cas={self._index(how, key)}" if name == "cas" else f"{name}={self._sessions[how]}"

    def _operation(
        self, verb: str, key: str, value: bytes | None, flags: int | None, which: str, session: int
    ) -> dict[str, Any]:
        operation: dict[str, Any] = {"Verb": verb, "Key": f"{self._prefix}/{key}"}
        if value is not None:
            operation["Value"] = base64.b64encode(value).decode()
        if flags is not None:
            operation["Flags"] = flags
        if verb in {"cas", "delete-cas", "check-index"}:
            operation["Index"] = self._index(which, key)
        if verb in {"lock", "unlock", "check-session"}:
            operation["Session"] = self._sessions[session]
        return operation

    def _normal(self, body: str) -> str:
        for number, session in enumerate(self._sessions):
            body = body.replace(session, f"session {number}")
        body = re.sub(r'"Node": "[^"]*"', '"Node": "…"', body)
        body = re.sub(r'((?:Create|Modify)Index": |modify index |!= )(\d+)', self._noted, body)
        return body.strip()

    def _noted(self, found: re.Match[str]) -> str:
        self.indexes.append(int(found[2]))
        return f"{found[1]}#"


def in_order(one: list[int], other: list[int]) -> bool:
    """Tell whether two lists of indexes have the same order and the same equalities."""
    pairs = sorted(set(zip(one, other, strict=True)))
    return all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an embedded store that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    path = tmp_path_factory.mktemp("embedded") / "store.db"
    server = asyncio.run_coroutine_threadsafe(start(path, port=0), loop).result(10)
    yield int(server.address.rpartition(":")[2])
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


# promise 11
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trace=st.lists(steps, min_size=5, max_size=40))
def test_a_trace_gets_the_same_answers(consul: ConsulAgent, embedded: int, trace: list[tuple[Any, ...]]) -> None:
    prefix = f"trace/{uuid.uuid4().hex[:12]}"
    real, ours = Side(consul.port, prefix), Side(embedded, prefix)
    try:
        for number, step in enumerate(trace):
            assert (number, step, ours.do(step)) == (number, step, real.do(step))
            assert in_order(real.indexes, ours.indexes), (number, step, real.indexes, ours.indexes)
    finally:
        real.close()
        ours.close()
