"""``syncd snapshot drill``: the newest snapshot is restored into a store of its own."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import no_netlink
from tests.support.consul import ConsulAgent, consul_binary, start_agent
from tests.support.embedded import start_embedded
from tests.support.machine import Kv, Machine
from tests.support.process import COMMAND, environment
from tests.support.repository import Repository
from tests.support.snapshots import kv, register, snapshot
from tests.support.waiting import wait_until


@pytest.fixture(params=[pytest.param("consul", marks=pytest.mark.consul), "embedded"])
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConsulAgent]:
    if request.param == "embedded":
        with start_embedded(tmp_path) as found:
            yield found
    else:
        with start_agent(acl=True) as found:
            yield found


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def drilling(home: Path, scratch: Path) -> dict[str, Any]:
    path = f"{Path(consul_binary()).parent}:{os.environ['PATH']}"
    return {"SYNCD_SNAPSHOTS_DIRECTORY": str(home / "kept"), "TMPDIR": str(scratch), "PATH": path}


@pytest.fixture
def machine(agent: ConsulAgent, repository: Repository, tmp_path: Path) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    return Machine(repository, home, Kv(agent.address, "app"))


def test_every_key_is_found_again_and_nothing_is_left_behind(
    machine: Machine, agent: ConsulAgent, scratch: Path
) -> None:
    for key, value in {"app/a": b"1", "app/raw": b"\xff\x00", "app/empty": b"", ".syncd/revision": b"x"}.items():
        agent.put(key, value, flags=len(key))
    extra = drilling(machine.home, scratch)
    token: dict[str, Any] = {"CONSUL_HTTP_TOKEN": agent.token} if agent.token else {}
    machine.cli("snapshot", "take", **extra, **token)
    agent.put("app/later", b"x")
    before = agent.tree() if not agent.token else agent.tree("app/")
    told = json.loads(machine.cli("snapshot", "drill", "--output", "json", **extra).stdout)
    assert (told["sound"], told["found"]["same"], told["found"]["missing"]) == (True, 4, [])
    assert "passed: 4 keys the same" in machine.cli("snapshot", "drill", **extra).stdout
    assert list(scratch.iterdir()) == []
    assert (agent.tree() if not agent.token else agent.tree("app/")) == before


def test_without_snapshots_it_says_so(machine: Machine, scratch: Path) -> None:
    told = machine.cli("snapshot", "drill", check=1, **drilling(machine.home, scratch)).stderr
    assert "there are no snapshots" in told


def test_without_a_consul_it_says_what_is_missing(repository: Repository, tmp_path: Path) -> None:
    machine = Machine(repository, tmp_path, Kv("http://127.0.0.1:1", "app"))
    (tmp_path / "a.snap").write_bytes(snapshot(kv("a")))
    told = machine.cli("snapshot", "drill", str(tmp_path / "a.snap"), check=1, PATH="/usr/lib/git-core").stderr
    assert "no consul on PATH" in told


@pytest.mark.consul
def test_a_snapshot_that_ends_the_server_fails_the_drill_and_nobody_else(
    repository: Repository, tmp_path: Path, scratch: Path
) -> None:
    machine = Machine(repository, tmp_path, Kv("http://127.0.0.1:1", "app"))
    (tmp_path / "a.snap").write_bytes(snapshot(register(), kv("a"), (99, {})))
    told = machine.cli("snapshot", "drill", str(tmp_path / "a.snap"), check=1, **drilling(tmp_path, scratch)).stderr
    assert "cannot be restored" in told or "the scratch Consul ended" in told
    assert list(scratch.iterdir()) == []


@pytest.mark.consul
def test_the_scratch_agent_ends_with_whoever_started_it(repository: Repository, tmp_path: Path, scratch: Path) -> None:
    machine = Machine(repository, tmp_path, Kv("http://127.0.0.1:1", "app"))
    (tmp_path / "a.snap").write_bytes(snapshot(register(), kv("a")))

    def agents() -> list[str]:
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = each.read_bytes()
            except OSError:
                continue
            if b"agent" in words.split(b"\0") and str(scratch).encode() in words:
                found.append(each.parent.name)
        return found

    with machine.start("snapshot", "drill", str(tmp_path / "a.snap"), **drilling(tmp_path, scratch)) as drill:
        wait_until(agents, "the scratch agent")
        drill.process.send_signal(signal.SIGKILL)
        wait_until(lambda: not agents(), "its end")


@pytest.mark.consul
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86-64")
def test_in_the_unit_s_sandbox_it_says_what_the_unit_needs(
    repository: Repository, tmp_path: Path, scratch: Path
) -> None:
    """The unit as it is forbids netlink; the drop-in of docs/snapshots.md allows it."""
    (tmp_path / "a.snap").write_bytes(snapshot(register(), kv("a")))
    filtered = [sys.executable, str(Path(no_netlink.__file__)), *COMMAND, "snapshot", "drill", str(tmp_path / "a.snap")]
    environ = environment(tmp_path, **drilling(tmp_path, scratch))
    done = subprocess.run(
        filtered, cwd=repository.folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "the scratch Consul ended with 1" in done.stderr
    assert "RestrictAddressFamilies=AF_NETLINK" in done.stderr
    assert list(scratch.iterdir()) == []
