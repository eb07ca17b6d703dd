"""The clients that people have: Consul's own command line and py-consul."""

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import consul as py_consul
import pytest

from tests.support.consul import consul_binary
from tests.support.rest import Rest


@pytest.fixture
def command_line(store: Rest) -> "CommandLine":
    return CommandLine(consul_binary(), store.address)


class CommandLine:
    """``consul``, pointed at the store."""

    def __init__(self, binary: str, address: str) -> None:
        self._binary = binary
        self._environment = {**os.environ, "CONSUL_HTTP_ADDR": address.removeprefix("http://")}

    async def __call__(self, *arguments: str, stdin: bytes = b"") -> str:
        process = await asyncio.create_subprocess_exec(
            self._binary,
            *arguments,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(stdin)
        assert process.returncode == 0, output
        return output.decode()


@pytest.mark.consul
@pytest.mark.usefixtures("any_key")
async def test_consul_kv_puts_gets_and_deletes(store: Rest, command_line: CommandLine) -> None:
    key = f"{store.prefix}/a b/é"
    assert "Success!" in await command_line("kv", "put", "-flags=12", key, "value")
    assert await command_line("kv", "get", key) == "value\n"
    assert await command_line("kv", "get", "-keys", f"{store.prefix}/") == f"{store.prefix}/a b/\n"
    detailed = await command_line("kv", "get", "-detailed", key)
    assert [line.split() for line in detailed.splitlines() if line.startswith("Flags")] == [["Flags", "12"]]
    assert "Success!" in await command_line("kv", "delete", "-recurse", f"{store.prefix}/")
    assert (await store.get("", "keys")).status == 404


@pytest.mark.consul
async def test_consul_kv_exports_what_it_imports(store: Rest, command_line: CommandLine) -> None:
    entries = [
        {"key": f"{store.prefix}/{key}", "flags": flags, "value": base64.b64encode(value).decode()}
        for key, flags, value in (("a", 0, b"1"), ("a/b", 2**64 - 1, b"\x00\xff"), ("c", 7, b""))
    ]
    await command_line("kv", "import", "-", stdin=json.dumps(entries).encode())
    assert json.loads(await command_line("kv", "export", f"{store.prefix}/")) == entries


@pytest.mark.consul
@pytest.mark.parametrize("holders", ["-n=1", "-n=2"])
async def test_consul_lock_runs_its_child_and_leaves_nothing_behind(
    store: Rest, command_line: CommandLine, holders: str
) -> None:
    assert await command_line("lock", holders, f"{store.prefix}/lock", "echo held") == "held\n"
    assert (await store.get("", "keys")).status == 404


@pytest.mark.consul
async def test_consul_lock_waits_for_its_turn(store: Rest, command_line: CommandLine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    turn = f"echo in >> {log}; sleep 0.2; echo out >> {log}"
    await asyncio.gather(*(command_line("lock", f"{store.prefix}/lock", turn) for _ in range(2)))
    assert log.read_text().split() == ["in", "out", "in", "out"]


async def test_py_consul_reads_writes_and_waits(store: Rest) -> None:
    def use(client: Any) -> None:
        key = f"{store.prefix}/a"
        assert client.kv.put(key, "1", cas=0) is True
        assert client.kv.put(key, "2", cas=0) is False
        index, entry = client.kv.get(key)
        assert (entry["Value"], str(entry["ModifyIndex"])) == (b"1", index)
        assert client.kv.get(key, index=index, wait="100ms")[0] == index
        assert client.kv.get(f"{store.prefix}/none")[1] is None
        assert client.kv.get(f"{store.prefix}/", keys=True)[1] == [key]
        assert [each["Key"] for each in client.kv.get(f"{store.prefix}/", recurse=True)[1]] == [key]
        assert client.kv.delete(key) is True

    await asyncio.to_thread(use, _py_consul(store))


async def test_py_consul_uses_sessions_locks_and_transactions(store: Rest) -> None:
    def use(client: Any) -> None:
        key = f"{store.prefix}/lock"
        session = client.session.create(name="n", ttl=15, lock_delay=0, behavior="delete")
        assert client.kv.put(key, "mine", acquire=session) is True
        assert client.session.renew(session)["ID"] == session
        assert client.session.info(session)[1]["Name"] == "n"
        assert session in [each["ID"] for each in client.session.list()[1]]
        fenced = [
            {"KV": {"Verb": "check-session", "Key": key, "Session": session}},
            {"KV": {"Verb": "set", "Key": f"{store.prefix}/a", "Value": base64.b64encode(b"x").decode()}},
        ]
        assert len(client.txn.put(fenced)["Results"]) == 2
        assert client.session.destroy(session) is True
        assert client.kv.get(key)[1] is None
        assert client.status.leader()
        assert client.agent.self()["Config"]["Datacenter"] == "dc1"

    await asyncio.to_thread(use, _py_consul(store))


def _py_consul(store: Rest) -> Any:
    host, _, port = store.address.removeprefix("http://").partition(":")
    return py_consul.Consul(host=host, port=int(port))
