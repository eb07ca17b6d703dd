"""Callers that hang, drip, flood, lie about who they are, or are too many: nobody else notices."""

import json
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.api import Api, connect, read_all
from tests.support.machine import Kv, Machine
from tests.support.process import Process, running
from tests.support.repository import seed_repository
from tests.support.waiting import wait_until

JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Process, Api]]:
    """One daemon on an embedded store for all tests, with its door by TCP."""
    with started(tmp_path_factory.mktemp("served")) as found:
        yield found


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[tuple[Machine, Process, Api]]:
    repository = seed_repository(folder / "repository")
    home = folder / "home"
    home.mkdir()
    store = running("store", "serve", "--port", "0", "--data", str(folder / "store.db"), cwd=folder, home=home)
    with store as served:
        served.wait_for_output("address=")
        found = re.search(r"address=(\S+)", served.output)
        assert found
        machine = Machine(repository, home, Kv(found[1], "config/mordomo"))
        with machine.run(**settings) as daemon:
            daemon.wait_for_output("applied")
            daemon.wait_for(lambda: machine.api.get("/readyz").status == 200)
            port = re.search(r"answering .*address=http://127.0.0.1:(\d+)", daemon.output)
            assert port
            yield machine, daemon, Api(("127.0.0.1", int(port[1])))
            assert daemon.stop() == 0


def closes(client: socket.socket) -> bytes:
    """Wait until the daemon closes the connection; return what it said before."""
    client.settimeout(30)
    return read_all(client)


# promise 16
def test_fault_26_a_stream_that_is_never_read_is_dropped_and_nobody_else_waits(
    served: tuple[Machine, Process, Api],
) -> None:
    machine, _, api = served
    with connect(api.place) as silent, api.follow("prefix=big") as reader:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: api.get("/api/v1/status").json["streams"] == 2, "both follow")
        for number in range(40):
            machine.repository.commit({"big.txt": f"{number:07}" * 60_000})
            assert api.post("/api/v1/sync").json["reached"]
            assert len(reader.next().keys["big.txt"] or "") == 420_000
            if b"syncd_streams_dropped_total 1.0" in api.get("/metrics").body:
                break
        assert b"syncd_streams_dropped_total 1.0" in api.get("/metrics").body
        assert api.get("/api/v1/status").json["streams"] == 1
    machine.repository.commit({"big.txt": None})


def test_silent_callers_and_dripped_headers_are_dropped(served: tuple[Machine, Process, Api]) -> None:
    _, _, api = served
    with connect(api.place) as silent, connect(api.place) as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        over = False
        dripping.settimeout(0.5)
        while not over:
            assert time.monotonic() < began + 30
            try:
                dripping.sendall(b"X: y\r\n")
                over = dripping.recv(100) == b""
            except TimeoutError:
                assert api.get("/healthz").status == 200
            except OSError:
                over = True
        assert closes(silent) == b""


def test_a_body_that_drips_is_given_up(served: tuple[Machine, Process, Api]) -> None:
    _, _, api = served
    with connect(api.place) as client:
        head = b"POST /api/v1/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        client.sendall(head + b"Content-Length: 100\r\n\r\n{")
        said = closes(client)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive within 10 s" in said


def test_a_body_that_is_too_large_is_refused_before_it_is_read(served: tuple[Machine, Process, Api]) -> None:
    _, _, api = served
    head = b"POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    said = api.raw(head + b"Content-Length: 2000000\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413 ")
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    with connect(api.place) as client:
        client.sendall(head + chunks + b"8001\r\n" + b" " * 0x8001 + b"\r\n")
        assert closes(client).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "call",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /api/v1/config/%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
    ids=["header", "line", "both-lengths", "two-hosts", "no-host", "version", "tls", "not-utf-8"],
)
def test_what_is_no_proper_call_is_told_so_in_json(served: tuple[Machine, Process, Api], call: bytes) -> None:
    _, _, api = served
    head, _, body = api.raw(call.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), head
    assert json.loads(body)["error"]["message"]
    assert api.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 60_000, 400),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400),
        (b'{"author": 1}', 400),
        (b'{"autor": "x"}', 400),
        (b'{"author": "' + b"x" * 300 + b'"}', 400),
        (b"\xff", 400),
        (b"{", 400),
        (b'{"author": "\\ud800"}', 400),
    ],
)
def test_a_body_that_is_not_what_is_taken_changes_nothing(
    served: tuple[Machine, Process, Api], body: bytes, status: int
) -> None:
    _, _, api = served
    got = api.call("POST", "/api/v1/pause", body, JSON)
    assert got.status == status
    assert got.error["message"].startswith("the body is not what this call takes")
    assert api.get("/api/v1/status").json["orders"]["paused_by"] == ""


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::2]", "", "a:b:c"])
def test_a_name_that_is_not_ours_is_not_answered(served: tuple[Machine, Process, Api], host: str) -> None:
    machine, _, api = served
    got = api.get("/api/v1/config", Host=host)
    assert got.status == 421
    assert "brain" not in got.body.decode()
    assert machine.api.get("/healthz", Host=host).status == 200, "who reaches the socket is no web page"


# promise 19
def test_a_web_page_cannot_order_anything(served: tuple[Machine, Process, Api]) -> None:
    _, _, api = served
    assert api.call("POST", "/api/v1/pause", b"{}", {**JSON, "Origin": "http://localhost"}).status == 403
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.call("POST", "/api/v1/pause", b"a=b", form).status == 415
    assert api.call("POST", "/api/v1/pause", b"{}", {"Content-Type": "text/plain"}).status == 415
    preflight = api.call("OPTIONS", "/api/v1/pause", headers={"Origin": "http://evil.example"})
    assert preflight.status == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]


# promise 20
def test_fault_19_too_many_callers_are_sent_away_and_commits_go_on(tmp_path: Path) -> None:
    with started(tmp_path) as (machine, daemon, api), ExitStack() as stack:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (400, 400))
        for _ in range(1_300):
            client = stack.enter_context(connect(api.place))
            client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        commit = machine.repository.commit({"tts.yaml": "voice: other\n"})
        daemon.wait_for(lambda: machine.kv.get("tts/voice") == b"other")
        stack.close()
        daemon.wait_for(lambda: reached(machine, commit))
        assert daemon.process.poll() is None


def reached(machine: Machine, commit: str) -> bool:
    try:
        found: bool = machine.api.post("/api/v1/sync", commit=commit).json["reached"]
    except OSError:
        return False
    return found
