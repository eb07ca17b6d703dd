"""In a daemon of this process: every kind of answer, good and bad, and what it says."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from syncd.core.errors import (
    Conflict,
    Denied,
    GitBusy,
    GitError,
    LeaseHeld,
    NotFound,
    RecordError,
    StateError,
    StoreError,
    SyncdError,
    Unreachable,
)
from syncd.core.problems import Problem, TreeError
from syncd.core.subscriber import Command, Subscriber
from syncd.web import answers
from tests.support.repository import Repository, seed_repository
from tests.support.serving import serving
from tests.support.waiting import until

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return seed_repository(tmp_path / "repository")


async def got(client: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, Any]:
    async with client.get(path, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def posted(client: aiohttp.ClientSession, path: str, **fields: Any) -> tuple[int, Any]:
    async with client.post(f"/api/v1/{path}", json=fields) as answer:
        return answer.status, await answer.json()


async def test_config_in_every_form(repository: Repository, tmp_path: Path) -> None:
    repository.commit(
        {
            ".syncd.yaml": "rules:\n  - match: secret.yaml\n    secret: true\n",
            "secret.yaml": "password: hunter2-hunter2\n",
            "model.bin": b"\xff\x00\x01",
        }
    )
    async with serving(repository, tmp_path) as served:
        client = served.client
        async with client.get("/api/v1/config") as answer:
            tag, said = answer.headers["ETag"], await answer.json()
        assert said["keys"]["model.bin"] == {"base64": "/wAB"}
        assert said["keys"]["secret/password"]["secret"].startswith("sha256:")
        async with client.get("/api/v1/config?format=yaml") as answer:
            assert yaml.safe_load(await answer.read()) == said
        async with client.get("/api/v1/config", headers={"If-None-Match": f'"x", W/{tag}'}) as answer:
            assert answer.status == 304
        assert (await got(client, "/api/v1/config/tts/voice"))[1]["keys"] == {"tts/voice": "pt_BR-faber-medium"}
        assert (await got(client, "/api/v1/config/tts"))[0] == 404
        assert (await got(client, "/api/v1/config?format=xml"))[0] == 400
        assert (await got(client, "/api/v1/config?prefix=" + "x" * 5000))[0] == 400


async def test_before_a_whole_revision_is_known_nothing_is_told_of_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"brain.yaml": "["})
    async with serving(repository, tmp_path, ready=False) as served:
        status, said = await got(served.client, "/readyz")
        assert (status, said["ready"]) == (503, False)
        assert said["why"]
        status, said = await got(served.client, "/api/v1/config")
        assert (status, said["error"]["message"]) == (503, "no whole revision is known yet")
        status, said = await posted(served.client, "sync")
        assert (said["result"], said["reached"], said["applied"]) == ("invalid", False, "")
        assert (await got(served.client, "/api/v1/status"))[1]["role"] == "starting"
        assert (await got(served.client, "/api/v1/plan"))[0] == 409, "the tree is invalid"
        async with served.client.get("/api/v1/events?full=true") as stream:
            repository.commit({"brain.yaml": "model: new\n"})
            found = await stream.content.readuntil(b'"new":"new"')
            assert b"syncd.state.reset.v1" in found


async def test_plan_orders_and_drift(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"many.yaml": "".join(f"key{number}: 1\n" for number in range(20))})
    async with serving(repository, tmp_path) as served:
        client = served.client
        commit = repository.commit({"many.yaml": None})
        _, said = await posted(client, "sync")
        assert said["result"] == "refused"
        status, plan = await got(client, "/api/v1/plan")
        assert (status, plan["hash"], plan["counts"]) == (200, said["hash"], {"delete": 20})
        assert (await got(client, "/api/v1/status"))[1]["last"]["refusals"]
        assert (await posted(client, "pause", reason="a demo"))[1]["reason"] == "a demo"
        assert (await posted(client, "pause", author="Bo"))[1]["paused_by"] != "Bo", "who paused first stays"
        assert (await posted(client, "sync"))[1]["result"] == "paused"
        assert (await got(client, "/api/v1/status"))[1]["role"] == "paused"
        assert (await posted(client, "resume"))[1]["paused_by"] == ""
        assert (await posted(client, "resume"))[1]["paused_by"] == ""
        assert (await posted(client, "approve", hash=plan["hash"]))[1]["approved"] == plan["hash"]
        assert (await posted(client, "sync", commit=commit))[1]["reached"]
        assert (await got(client, "/api/v1/drift"))[1] == {"known": True, "commit": commit, "count": 0, "changes": []}
        assert (await posted(client, "sync", commit=commit[:8]))[1]["applied"] == commit
        assert (await posted(client, "sync", commit="nothing"))[0] == 404


async def test_a_subscriber_that_fails_is_shown_and_told_anew_when_it_works(
    repository: Repository, tmp_path: Path
) -> None:
    works = tmp_path / "works"
    command = Command(("/bin/sh", "-c", f"cat > /dev/null; test -e {works}"))
    async with serving(repository, tmp_path, subscribers=(Subscriber("shell", command),)) as served:
        client, path = served.client, "subscribers/shell"

        async def shown() -> Any:
            return (await got(client, "/api/v1/subscribers"))[1]["subscribers"][0]

        async def state(wanted: str) -> bool:
            return bool((await shown())["state"] == wanted)

        await until(lambda: state("waiting"), "a failed try")
        assert (await got(client, "/api/v1/status"))[1]["subscribers"]["troubled"][0]["name"] == "shell"
        async with client.get("/metrics") as answer:
            assert 'syncd_deliveries_total{outcome="failed",subscriber="shell"} 1.0' in await answer.text()
        assert (await posted(client, f"{path}/test"))[1]["outcome"] == "failed"
        works.touch()
        assert (await posted(client, f"{path}/test"))[1]["outcome"] == "delivered"
        await until(lambda: state("idle"), "what waited is told once a test gets through")
        (ended,) = (await got(client, f"/api/v1/{path}/deliveries"))[1]["deliveries"]
        assert ended["outcome"] == "delivered"
        assert (await posted(client, f"{path}/replay", event="unknown"))[0] == 404
        assert (await posted(client, f"{path}/replay", event=ended["id"])) == (200, {"replaying": "shell"})


async def test_a_store_that_is_away_is_told(repository: Repository, tmp_path: Path) -> None:
    async with serving(repository, tmp_path, store=False, ready=False) as served:
        status, said = await got(served.client, "/readyz")
        assert (status, said["ready"]) == (503, False)
        status, said = await got(served.client, "/api/v1/status")
        assert "does not answer yet" in said["store"]
        assert said["drift"] == {"known": False, "commit": "", "count": 0, "keys": []}
        asked = asyncio.create_task(posted(served.client, "sync"))

        async def failed() -> bool:
            return (await got(served.client, "/api/v1/status"))[1]["last"]["trouble"] is not None

        await until(failed, "a pass failed")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({**JSON, "Origin": "http://localhost"}, b"{}", 403),
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({**JSON, "Content-Encoding": "gzip"}, b"{}", 415),
        (JSON, b"", 400),
        (JSON, b"[" * 60_000, 400),
        (JSON, b'{"autor": "x"}', 400),
        (JSON, b" " * 70_000, 413),
    ],
)
async def test_bodies_that_are_refused_order_nothing(
    repository: Repository, tmp_path: Path, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with serving(repository, tmp_path) as served:
        async with served.client.post("/api/v1/pause", data=body, headers=headers) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]["message"]
        assert (await got(served.client, "/api/v1/status"))[1]["orders"]["paused_by"] == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (RecordError("x"), 409),
        (LeaseHeld("x"), 409),
        (TreeError((Problem("error", "c", "a.yaml", 1, 1, "x"),)), 409),
        (Denied("x"), 502),
        (StoreError("x"), 502),
        (GitError("x"), 502),
        (GitBusy("x"), 503),
        (Unreachable("x"), 503),
        (StateError("x"), 503),
        (SyncdError("x"), 503),
    ],
)
def test_every_error_has_a_status_and_says_when_to_come_back(error: SyncdError, status: int) -> None:
    answer = answers.error(error)
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (status == 503)
