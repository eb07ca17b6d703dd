"""Every example of docs/subscribing.md does what the page says: real daemon, real commits, real processes."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncd.core.catalog import subscriber_of
from syncd.core.subscriber import Filter, Webhook
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, consul_binary, free_port
from tests.support.examples import PAGE, Example, blocks, command_of, programs, started
from tests.support.machine import Machine
from tests.support.process import Process
from tests.support.receiver import Got, receiver
from tests.support.services import Services
from tests.support.waiting import until, wait_until

SECRET = base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
OTHER = base64.b64encode(b"another, of thirty-two bytes too").decode()
STATE = ("forget everything", "set brain/model = qwen2.5:3b", "set brain/temperature = 0.7")
NEEDS = {"py": "python3", "mjs": "node", "sh": "curl"}


def demand(program: str) -> None:
    """Skip where a program is missing; under CI only where no machine of that kind has it."""
    needed = NEEDS[program.rpartition(".")[2]]
    if shutil.which(needed) is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI has no {needed}", pytrace=False)
        pytest.skip(f"no {needed} on this machine")


def test_every_program_of_the_page_is_run_here() -> None:
    receivers, followers = {"receiver.py", "receiver.mjs"}, {"follower.py", "follower.mjs", "follower.sh"}
    assert set(programs()) == receivers | followers | {"verify.sh"}


# -- webhooks


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """The daemon's secrets: a new one above one that receivers still know."""
    file = tmp_path / "daemon.secret"
    file.write_text(f"whsec_{OTHER}\nwhsec_{SECRET}\n")
    return file


def subscribe(machine: Machine, port: int, secret_file: Path) -> None:
    """Name the subscriber as the page does."""
    (text,) = (each for each in blocks("toml") if ":9000/" in each)
    text = text.replace(":9000/", f":{port}/").replace("/etc/syncd/brain.secret", str(secret_file))
    assert f":{port}/" in text
    assert str(secret_file) in text
    (machine.repository.folder / "syncd.toml").write_text(text)


def post(port: int, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/config-changed", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def signed(body: bytes, *, id_: str = "e-1", secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Sign as the specification says, by other means than syncd's."""
    timestamp = str(int(time.time() if at is None else at))
    mac = hmac.digest(base64.b64decode(secret), f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": f"v1,AAAA {signature}"}


TEST = b'{"type":"syncd.test.v1","data":{"changes":[],"detail":"full"}}'


@pytest.mark.parametrize("name", ["receiver.py", "receiver.mjs"])
def test_a_receiver_takes_what_syncd_signs_once_and_nothing_else(
    local: Machine, tmp_path: Path, secret_file: Path, name: str
) -> None:
    demand(name)
    port, own = free_port(), tmp_path / "receiver.secret"
    own.write_text(f"whsec_{SECRET}\n")
    subscribe(local, port, secret_file)
    with ExitStack() as stack:
        command = command_of(name, tmp_path)
        there = stack.enter_context(started(command, tmp_path / "log", PORT=str(port), SECRET_FILE=str(own)))
        wait_until(lambda: listens(port), "the receiver listens")

        assert post(port, TEST, signed(TEST)) == 204
        assert post(port, TEST, signed(TEST, secret=OTHER)) == 401
        assert post(port, TEST, signed(TEST, at=time.time() - 301)) == 401
        assert post(port, TEST, signed(TEST, at=time.time() + 310)) == 401
        assert post(port, TEST + b" ", signed(TEST)) == 401
        assert post(port, TEST, {**signed(TEST), "webhook-id": "e-2"}) == 401
        assert post(port, TEST, {**signed(TEST), "webhook-timestamp": "now"}) == 401
        for missing in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            assert post(port, TEST, {key: text for key, text in signed(TEST).items() if key != missing}) == 401
        assert there.lines == []

        daemon = stack.enter_context(local.run())
        daemon.wait_for_output("applied")
        there.wait_for(f"forget 0 keys of {local.kv.prefix}", *STATE[1:])
        local.repository.commit({"brain.yaml": "model: other\n"})
        change = ("gone brain/temperature", "set brain/model = other")
        wait_until(lambda: len(there.lines) == 5, "the commit is told")
        assert sorted(there.lines[3:]) == sorted(change)
        wait_until(lambda: len(local.json("subscribers", "deliveries", "brain")["deliveries"]) == 2, "it is noted")
        newest = local.json("subscribers", "deliveries", "brain")["deliveries"][0]["id"]
        local.cli("subscribers", "replay", "brain", "--event", newest)
        told = there.lines[:5]
        there.wait_for(*told, *told[3:])
        assert local.cli("subscribers", "test", "brain").stdout == "brain: delivered (204)\n"
        assert post(port, TEST, signed(TEST)) == 204
        there.wait_for(*told, *told[3:], "again e-1")


@pytest.mark.parametrize("name", ["receiver.py", "receiver.mjs"])
def test_a_reset_of_another_prefix_takes_nothing_from_a_receiver(tmp_path: Path, name: str) -> None:
    demand(name)
    port, own = free_port(), tmp_path / "receiver.secret"
    own.write_text(f"whsec_{SECRET}\n")
    with started(command_of(name, tmp_path), tmp_path / "log", PORT=str(port), SECRET_FILE=str(own)) as there:
        wait_until(lambda: listens(port), "the receiver listens")

        def reset(prefix: str, id_: str, **keys: str) -> None:
            changes = [{"key": key, "operation": "create", "new": value} for key, value in keys.items()]
            told = {"prefix": prefix, "detail": "full", "changes": changes}
            body = json.dumps({"type": "syncd.state.reset.v1", "data": told}).encode()
            assert post(port, body, signed(body, id_=id_)) == 204

        reset("shop", "a-1", color="red")
        reset("web", "b-1")
        reset("shop", "a-2")
        there.wait_for("forget 0 keys of shop", "set color = red", "forget 0 keys of web", "forget 1 keys of shop")


@pytest.mark.parametrize("name", ["receiver.py", "receiver.mjs"])
def test_a_receiver_of_keys_takes_failures_of_snapshots_at_the_same_address(tmp_path: Path, name: str) -> None:
    demand(name)
    port, own = free_port(), tmp_path / "receiver.secret"
    own.write_text(f"whsec_{SECRET}\n")
    (body,) = (each.encode() for each in blocks("json") if "syncd.snapshot.failed.v1" in each)
    with started(command_of(name, tmp_path), tmp_path / "log", PORT=str(port), SECRET_FILE=str(own)) as there:
        wait_until(lambda: listens(port), "the receiver listens")
        assert post(port, body, signed(body)) == 204
        there.wait_for("snapshot failed: the directory of snapshots cannot be used: Read-only file system")


def listens(port: int) -> bool:
    try:
        return post(port, b"", {}) == 401
    except OSError:
        return False


async def test_the_shell_tells_what_syncd_signed_from_what_it_did_not(
    local: Machine, tmp_path: Path, secret_file: Path
) -> None:
    demand("verify.sh")
    async with receiver() as there:
        subscribe(local, there.port, secret_file)
        with local.run():

            async def told() -> bool:
                return bool(there.requests)

            await until(told, "the state is told")
    command, own = command_of("verify.sh", tmp_path), tmp_path / "receiver.secret"
    got = there.requests[0]

    def verified(got: Got, *, secrets: str = SECRET, **changed: str) -> bool:
        own.write_text("\n".join(f"whsec_{secret}" for secret in secrets.split()))
        given = {**got.headers, **{name.replace("_", "-"): text for name, text in changed.items()}}
        words = [given["webhook-id"], given["webhook-timestamp"], given["webhook-signature"]]
        done = subprocess.run(
            [*command, *words], input=got.body, env={**os.environ, "SECRET_FILE": str(own)}, check=False
        )
        return done.returncode == 0

    assert verified(got)
    assert verified(got, secrets=OTHER)
    assert verified(got, secrets=f"{base64.b64encode(b'x' * 32).decode()} {SECRET}")
    assert not verified(got, secrets=base64.b64encode(b"x" * 32).decode())
    assert not verified(got, webhook_id="other")
    assert not verified(got, webhook_signature="v1,AAAA v1,* v1,")
    assert not verified(Got(got.method, got.target, got.headers, got.body + b" "))
    for timestamp in ("", "now", "0", "1;id", str(int(time.time()) - 400)):
        assert not verified(Got(got.method, got.target, {**got.headers, **resigned(got, timestamp)}, got.body)), (
            timestamp
        )
    assert verified(Got(got.method, got.target, {**got.headers, **resigned(got, str(int(time.time())))}, got.body))


def resigned(got: Got, timestamp: str) -> dict[str, str]:
    signed_ = f"{got.headers['webhook-id']}.{timestamp}.".encode() + got.body
    mac = hmac.digest(base64.b64decode(SECRET), signed_, hashlib.sha256)
    return {"webhook-timestamp": timestamp, "webhook-signature": f"v1,{base64.b64encode(mac).decode()}"}


# -- streams


@pytest.mark.parametrize("name", ["follower.py", "follower.mjs", "follower.sh"])
def test_a_follower_misses_nothing_and_gets_nothing_twice(local: Machine, tmp_path: Path, name: str) -> None:
    demand(name)
    port, last, command = free_port(), tmp_path / "last-event-id", command_of(name, tmp_path)
    (given,) = set(re.findall(r"http://127\.0\.0\.1:8510\S+?full=true", PAGE))
    environ = {"URL": given.replace(":8510/", f":{port}/"), "LAST": str(last)}
    logs = (tmp_path / f"log{number}" for number in range(9))

    with ExitStack() as stack:

        def daemon() -> Process:
            made = stack.enter_context(local.run(SYNCD_HTTP_LISTEN=f"127.0.0.1:{port}"))
            made.wait_for_output("applied" if not last.exists() else "following")
            return made

        def follower() -> Example:
            return stack.enter_context(started(command, next(logs), **environ))

        running, there = daemon(), follower()
        there.wait_for(*seen(name, *STATE))
        local.repository.commit({"brain.yaml": "model: b\ntemperature: 0.7\n"})
        there.wait_for(*seen(name, *STATE, "set brain/model = b"))
        kept(last, there)

        there.kill()
        local.repository.commit({"brain.yaml": "model: c\ntemperature: 0.7\n"})
        running.wait_for(lambda: local.kv.get("brain/model") == b"c")
        there = follower()
        there.wait_for(*seen(name, "set brain/model = c"))

        running.kill()
        local.repository.commit({"brain.yaml": "model: d\ntemperature: 0.7\n"})
        running = daemon()
        there.wait_for(*seen(name, "set brain/model = c", "set brain/model = d"))

        there.kill()
        last.write_text("unknown-1")
        there = follower()
        there.wait_for(*seen(name, STATE[0], "set brain/model = d", STATE[2]))


def seen(name: str, *lines: str) -> list[str]:
    """Return the lines as that example writes them: the one in shell names keys alone."""
    if not name.endswith(".sh"):
        return list(lines)
    return [re.sub(r"(?:set|gone) (\S+).*", r'"key":"\1"', line) for line in lines]


def kept(last: Path, there: Example) -> None:
    """Wait until the id of what was printed is kept: a kill before that has it told again."""
    assert there.lines
    before = last.read_text()
    wait_until(lambda: ".full" not in last.read_text(), f"the id behind {before} is kept")


# -- the catalog


@pytest.fixture
def services(consul: ConsulAgent) -> Iterator[Services]:
    made = Services(consul)
    yield made
    made.close()


@pytest.mark.consul
@pytest.mark.parametrize("language", ["hcl", "json", "sh"])
async def test_a_registration_of_the_page_asks_for_changes(services: Services, tmp_path: Path, language: str) -> None:
    agent = services.agent
    await asyncio.to_thread(register, agent, tmp_path, language)
    try:
        async with Store(resolve_endpoint({}, address=agent.address), "app") as store:
            (found,) = await store.catalog.instances("brain")
    finally:
        services.deregister("brain")
    subscriber = subscriber_of(found, (), "")
    assert subscriber.filter == Filter(("brain/", "tts/"))
    assert subscriber.target == Webhook("http://127.0.0.1:9000/config-changed", trusted=False)


def register(agent: ConsulAgent, folder: Path, language: str) -> None:
    """Register the page's service as the page says, by the way that its example in that language is."""
    (body,) = [text for text in blocks("json") if "syncd-path" in text]
    (hcl,) = blocks("hcl")
    (script,) = [text for text in blocks("sh") if "service/register" in text]
    (folder / "brain.json").write_text(body)
    (folder / "brain.hcl").write_text(hcl)
    if language == "json":
        assert agent.request("PUT", "/v1/agent/service/register", body.encode())[0] == 200
        return
    script = script.replace("http://127.0.0.1:8500", agent.address).replace("curl ", "curl -sf ")
    command = [consul_binary(), "services", "register", f"-http-addr={agent.address}", "brain.hcl"]
    subprocess.run(command if language == "hcl" else ["sh", "-ec", script], check=True, cwd=folder, capture_output=True)
