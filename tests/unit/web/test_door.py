"""A daemon in this process, asked by HTTP: what the door says of itself and to whom."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.core.errors import SettingsError
from syncd.core.pulse import Pulses
from syncd.web import connections
from syncd.web.sockets import CannotListen, listen_tcp
from tests.support.repository import Repository, seed_repository
from tests.support.serving import serving
from tests.support.waiting import until

OPERATIONS = (Path(__file__).parents[3] / "docs/operations.md").read_text()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return seed_repository(tmp_path / "repository")


async def status_of(address: str, path: str, token: str = "", method: str = "GET") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body: dict[str, Any] | None = {} if method == "POST" else None
    async with aiohttp.request(method, address + path, headers=headers, json=body) as answer:
        return answer.status


# promise 19
async def test_with_tokens_every_call_by_port_needs_one_of_the_right_scope(
    repository: Repository, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{n} {n} sha256:{sha256(n.encode()).hexdigest()}\n" for n in ("read", "sync", "admin")))
    async with serving(repository, tmp_path, http__tokens_file=str(tokens)) as (local, address):
        for path in ("/healthz", "/readyz", "/api/v1/openapi.json"):
            assert await status_of(address, path) == 200
        for path in ("/metrics", "/api/v1/status", "/api/v1/config", "/api/v1/events", "/api/v1/drift", "/api/v1/plan"):
            assert await status_of(address, path) == 401
            assert await status_of(address, path, "wrong") == 401
            if "events" not in path:
                assert await status_of(address, path, "read") == 200
        assert await status_of(address, "/api/v1/sync", "read", "POST") == 403
        assert await status_of(address, "/api/v1/sync", "sync", "POST") == 200
        assert await status_of(address, "/api/v1/pause", "sync", "POST") == 403
        assert await status_of(address, "/api/v1/pause", "admin", "POST") == 200
        async with local.get("/api/v1/status") as answer:
            assert (await answer.json())["orders"]["paused_by"] == "admin", "who reaches the socket needs none"
        tokens.write_text("damaged")
        assert await status_of(address, "/api/v1/status", "admin") == 503
        assert await status_of(address, "/healthz") == 200


async def test_a_loop_that_is_stuck_is_no_health_and_is_named_without_keys(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(repository, tmp_path) as (_, address):
        assert await status_of(address, "/healthz") == 200
        loops = {"git": 9.0, "watch of 'brain/'": 1.0, "watch of 'tts/'": 1.0}
        monkeypatch.setattr(Pulses, "late", lambda _self, _now: loops)
        async with aiohttp.request("GET", address + "/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "stuck: git, watch\n")
        monkeypatch.undo()
        assert await status_of(address, "/healthz") == 200


async def test_too_many_callers_are_told_so_at_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.web.server.most_connections", lambda: 2)
    async with serving(repository, tmp_path) as (local, address):
        async with local.get("/api/v1/events"), local.get("/api/v1/events"):
            assert await status_of(address, "/healthz") == 503

        async def free() -> bool:
            return await status_of(address, "/healthz") == 200

        await until(free, "room again")


async def test_so_many_connections_leave_files_for_the_daemons_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    limits = [(1024, 4096), (1024, 1024), (100, 100), (-1, -1), (1024, -1)]
    made: list[tuple[int, tuple[int, int]]] = []
    for limit in limits:
        monkeypatch.setattr("resource.getrlimit", lambda _, limit=limit: limit)
        monkeypatch.setattr("resource.setrlimit", lambda _, raised: made.append((0, raised)))
        made.append((connections.most_connections(), (0, 0)))
    assert [most for most, _ in made if most] == [1200, 768, 16, 1200, 1200]
    monkeypatch.setattr("resource.setrlimit", refuse)
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    assert connections.most_connections() == 768
    assert [raised for most, raised in made if not most] == [(1456, 4096), (1024, 1024), (100, 100), (1456, -1)]


async def test_strangers_are_let_in_only_with_tokens(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tokens_file must be set"):
        async with serving(repository, tmp_path, http__listen="0.0.0.0:0"):
            pass


async def test_a_taken_port_is_an_error_where_it_was_asked_for(repository: Repository, tmp_path: Path) -> None:
    with listen_tcp("127.0.0.1", 0) as taken, pytest.raises(CannotListen, match="another program"):
        async with serving(repository, tmp_path, http__listen=f"127.0.0.1:{taken.getsockname()[1]}"):
            pass


async def test_a_taken_port_that_nobody_asked_for_leaves_the_socket(repository: Repository, tmp_path: Path) -> None:
    with listen_tcp("127.0.0.1", 0) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with serving(repository, tmp_path, listens_by_default=True, http__listen=listen) as (local, address):
            assert address == ""
            assert (await local.get("/healthz")).status == 200


async def test_without_a_port_the_socket_alone_answers(repository: Repository, tmp_path: Path) -> None:
    async with serving(repository, tmp_path, http__listen="") as (local, address):
        assert address == ""
        async with local.get("/healthz") as answer:
            assert await answer.text() == "ok\n"


async def test_every_metric_is_documented_and_none_names_a_key(repository: Repository, tmp_path: Path) -> None:
    scheduled = serving(repository, tmp_path, snapshots__schedule="@daily", snapshots__drill="@weekly")
    async with scheduled as (local, _), local.get("/metrics") as answer:
        text = await answer.text()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE syncd_")}
    documented = {
        cell.split("{")[0]
        for line in OPERATIONS.splitlines()
        if line.startswith("| `syncd_")
        for cell in [line.split("`")[1]]
    }
    assert names == documented
    assert "brain" not in text
    assert "syncd_keys 4.0" in text
    assert "syncd_leading 1.0" in text


async def test_a_test_of_a_subscriber_that_is_not_there_names_those_that_are(
    repository: Repository, tmp_path: Path
) -> None:
    async with serving(repository, tmp_path) as (local, _):
        for call in ("test", "replay"):
            async with local.post(f"/api/v1/subscribers/nobody/{call}", json={}) as answer:
                assert answer.status == 404
                assert (await answer.json())["error"]["hint"] == "there are: none"
        async with local.post("/api/v1/subscribers/nobody/replay", json={"since": 1, "event": "x"}) as answer:
            assert answer.status == 400
        async with local.post("/api/v1/sync", json={"commit": "nothing"}) as answer:
            assert answer.status == 404


async def test_what_a_stream_wants_is_bounded(repository: Repository, tmp_path: Path) -> None:
    async with serving(repository, tmp_path) as (local, _):
        for query in (
            "match=*a*b*c*d",
            "match=[",
            "&".join(["prefix=a"] * 21),
            "values=maybe",
            "nothing=1",
            "full=true&full=true",
        ):
            async with local.get(f"/api/v1/events?{query}") as answer:
                assert answer.status == 400, query
                assert (await answer.json())["error"]["message"]
        async with local.get("/api/v1/events?prefix=&full=true") as answer:
            assert answer.status == 200


async def test_a_caller_that_speaks_http_1_0_gets_a_stream_without_chunks(
    repository: Repository, tmp_path: Path
) -> None:
    async with serving(repository, tmp_path) as (_, address):
        host, _, port = address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v1/events?full=true HTTP/1.0\r\nHost: localhost\r\n\r\n")
        found = await reader.readuntil(b"data: ")
        assert b"Transfer-Encoding" not in found
        assert b"\r\n\r\nretry: 2000\n: following\n\nid: " in found
        writer.close()
        await writer.wait_closed()
