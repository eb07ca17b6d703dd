"""``syncd snapshot restore``, on real Consuls of the tests' own and on the embedded store."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.consul import ConsulAgent, start_agent
from tests.support.embedded import start_embedded
from tests.support.machine import Kv, Machine
from tests.support.process import COMMAND, environment
from tests.support.proxy import before, proxy_to, request_to
from tests.support.repository import Repository
from tests.support.snapshots import archive, kv, register, snapshot, state
from tests.support.waiting import wait_until


@contextmanager
def agent_of(kind: str, folder: Path) -> Iterator[ConsulAgent]:
    if kind == "embedded":
        with start_embedded(folder) as agent:
            yield agent
    else:
        with start_agent(acl=kind == "guarded") as agent:
            yield agent


@pytest.fixture(params=[pytest.param("consul", marks=pytest.mark.consul), "embedded"])
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConsulAgent]:
    with agent_of(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ConsulAgent]:
    with agent_of("guarded", tmp_path) as found:
        yield found


def machine_of(agent: ConsulAgent, repository: Repository, home: Path) -> Machine:
    home.mkdir(exist_ok=True)
    tokens = ""
    if agent.token:
        (home / "token").write_text(agent.token)
        tokens = f'[store]\ntoken_file = "{home}/token"\n'
    snapshots = f'[snapshots]\ndirectory = "{home}/kept"\n' + (f'token_file = "{home}/token"\n' if tokens else "")
    (repository.folder / "syncd.toml").write_text(f"{tokens}{snapshots}")
    return Machine(repository, home, Kv(agent.address, "app"))


@pytest.fixture
def machine(agent: ConsulAgent, repository: Repository, tmp_path: Path) -> Machine:
    return machine_of(agent, repository, tmp_path / "home")


def status(machine: Machine) -> Any:
    return machine.api.get("/api/v1/status").json


def shows(machine: Machine, **expected: object) -> bool:
    found = status(machine)
    return {name: found[name] for name in expected} == expected


def paused(agent: ConsulAgent) -> bool:
    return "pause" in json.loads(agent.get("app/.syncd/control") or b"{}")


def test_everything_comes_back_and_no_daemon_undoes_it_before_it_is_told_to(
    machine: Machine, repository: Repository, agent: ConsulAgent
) -> None:
    second = machine.other("second")
    second.home.mkdir()
    with (
        machine.run(SYNCD_STATE_DIRECTORY=str(machine.home / "state")),
        second.run(SYNCD_STATE_DIRECTORY=str(second.home / "state")),
    ):
        wait_until(lambda: machine.kv.get("brain/model"), "the first commit")
        agent.put("other/team", b"theirs", flags=3)
        taken = machine.json("snapshot", "take")["file"]
        old = machine.kv.tree()
        epoch = machine.kv.own("revision")["epoch"]
        repository.commit({"brain.yaml": "model: newer\n"})
        wait_until(lambda: machine.kv.get("brain/model") == b"newer", "the second commit")
        agent.put("other/team", b"changed")
        agent.put("other/new", b"new")
        newest = machine.kv.tree()

        told = machine.json("snapshot", "restore", taken, "--yes")
        assert machine.kv.tree() == old
        entry = agent.entry("other/team")
        assert entry is not None
        assert (entry["Value"], entry["Flags"], agent.get("other/new")) == (b"theirs", 3, None)
        assert (told["paused"], told["doubt"], told["git_error"]) == (True, "", "")
        assert told["git"]["changes"]
        assert machine.kv.own("revision")["epoch"] == told["epoch"] != epoch
        for each in (machine, second):
            wait_until(partial(shows, each, epoch=told["epoch"]), "the new epoch is told")
            assert status(each)["role"] == "paused"
        # Both have looked at a store that went back, and written nothing.
        agent.put("app/foreign", b"x")
        for each in (machine, second):
            wait_until(partial(shows, each, keys=len(old) + 1), "what a stranger wrote")
        assert {**machine.kv.tree()} == {**old, "foreign": b"x"}

        assert machine.cli("snapshot", "show", told["before"], "app/brain/model").stdout == "newer"
        machine.cli("resume")
        wait_until(lambda: machine.kv.tree() == {**newest, "foreign": b"x"}, "git is brought again")


def test_it_says_what_changes_and_what_git_thinks(machine: Machine, repository: Repository) -> None:
    machine.cli("apply", "--yes")
    taken = machine.json("snapshot", "take")["file"]
    repository.commit({"brain.yaml": "model: newer\n"})
    machine.cli("apply", "--yes")
    told = machine.cli("snapshot", "restore", taken, "--yes").stdout
    assert "~ update   app/brain/model" in told
    assert "newer" not in told
    assert "syncd is paused" in told
    assert "would change it again: " in told
    assert "1 to update" in told


def test_without_a_terminal_it_asks_for_a_yes(machine: Machine, agent: ConsulAgent) -> None:
    taken = machine.json("snapshot", "take")["file"]
    assert "say --yes" in machine.cli("snapshot", "restore", taken, check=64).stderr
    assert not paused(agent)


def test_a_damaged_file_changes_nothing(machine: Machine, agent: ConsulAgent) -> None:
    machine.cli("apply", "--yes")
    taken = Path(machine.json("snapshot", "take")["file"])
    taken.write_bytes(taken.read_bytes()[:-30])
    machine.cli("snapshot", "restore", str(taken), "--yes", check=1)
    assert not paused(agent)


def test_a_snapshot_of_the_other_store_is_refused(machine: Machine, tmp_path: Path, agent: ConsulAgent) -> None:
    content = state([kv("a")])
    foreign = 1 if "syncd" in str(agent.json("GET", "/v1/agent/self")["Config"]["Version"]) else 100
    size = json.dumps({"Version": foreign, "ID": "x", "Index": 5, "Term": 1, "Size": len(content)}).encode()
    (tmp_path / "other.snap").write_bytes(archive(content, meta_json=size))
    told = machine.cli("snapshot", "restore", str(tmp_path / "other.snap"), "--yes", "--wipe-cluster", check=3).stderr
    assert "consul kv import" in told
    assert not paused(agent)


@pytest.mark.consul
@pytest.mark.parametrize("records", [(kv("app/a"),), (kv("app/a"), register(), (3, {"ID": "s"}), (17, {}))])
def test_what_would_open_the_bootstrap_of_acls_is_refused(
    guarded: ConsulAgent, repository: Repository, tmp_path: Path, records: tuple[tuple[int, object], ...]
) -> None:
    machine = machine_of(guarded, repository, tmp_path / "home")
    guarded.put("app/a", b"kept")
    (tmp_path / "open.snap").write_bytes(snapshot(*records))
    told = machine.cli("snapshot", "restore", str(tmp_path / "open.snap"), "--yes", check=3).stderr
    assert "anybody could bootstrap them anew" in told
    assert "--wipe-cluster" in told
    assert guarded.get("app/a") == b"kept"
    assert guarded.request("PUT", "/v1/acl/bootstrap")[0] == 403
    assert not paused(guarded)


@pytest.mark.consul
def test_a_cluster_with_acls_is_restored_with_them(
    guarded: ConsulAgent, repository: Repository, tmp_path: Path
) -> None:
    machine = machine_of(guarded, repository, tmp_path / "home")
    machine.cli("apply", "--yes")
    token = guarded.make_token('key_prefix "x/" { policy = "write" }')
    taken = machine.json("snapshot", "take")["file"]
    guarded.revoke(token)
    told = machine.json("snapshot", "restore", taken, "--yes")
    assert told["doubt"] == ""
    assert paused(guarded)
    assert guarded.request("PUT", "/v1/kv/x/a", b"1", token=token)[0] == 200
    assert guarded.request("PUT", "/v1/acl/bootstrap")[0] == 403


@pytest.mark.consul
def test_records_that_would_end_the_server_are_refused_whatever_is_typed(
    repository: Repository, tmp_path: Path
) -> None:
    with start_agent() as agent:
        machine = machine_of(agent, repository, tmp_path / "home")
        (tmp_path / "newer.snap").write_bytes(snapshot(register(), kv("app/a"), (99, {})))
        words = ("snapshot", "restore", str(tmp_path / "newer.snap"), "--yes", "--wipe-cluster")
        assert "unknown (99)" in machine.cli(*words, check=3).stderr
        agent.wait_ready()


@pytest.mark.consul
def test_a_cluster_with_anything_in_it_is_wiped_only_when_that_is_typed(repository: Repository, tmp_path: Path) -> None:
    with start_agent() as agent:
        machine = machine_of(agent, repository, tmp_path / "home")
        (tmp_path / "keys.snap").write_bytes(snapshot(kv("shop/a", b"then")))
        machine.cli("snapshot", "restore", str(tmp_path / "keys.snap"), "--yes")
        assert agent.get("shop/a") == b"then"
        assert paused(agent)
        agent.json("PUT", "/v1/catalog/register", {"Node": agent.name, "Address": "127.0.0.1"})  # it comes back in time
        agent.json("PUT", "/v1/catalog/register", {"Node": "n", "Address": "10.0.0.1", "Service": {"Service": "web"}})
        words = ("snapshot", "restore", str(tmp_path / "keys.snap"), "--yes")
        assert "it holds no nodes" in machine.cli(*words, check=3).stderr
        assert agent.json("GET", "/v1/catalog/service/web")
        machine.cli(*words, "--wipe-cluster")
        assert agent.json("GET", "/v1/catalog/service/web") == []


def test_single_keys_come_back_and_git_s_are_left_to_git(
    machine: Machine, repository: Repository, agent: ConsulAgent
) -> None:
    machine.cli("apply", "--yes")
    agent.put("team/a", b"then", flags=7)
    agent.put("team/b/c", b"same")
    taken = machine.json("snapshot", "take")["file"]
    old = machine.kv.get("brain/model")
    repository.commit({"brain.yaml": "model: newer\n"})
    machine.cli("apply", "--yes")
    agent.delete("team/a")
    agent.put("team/since", b"stays")
    before = agent.tree("app/")

    told = machine.json("snapshot", "restore", taken, "--prefix", "team", "--yes")
    entry = agent.entry("team/a")
    assert entry is not None
    assert (entry["Value"], entry["Flags"]) == (b"then", 7)
    assert agent.get("team/since") == b"stays"
    assert ([each["key"] for each in told["written"]], told["same"], told["patch"]) == (["team/a"], 1, "")

    done = machine.cli("snapshot", "restore", taken, "--key", "app/brain/model", check=3)
    assert agent.tree("app/") == before
    assert "git names 1 key" in done.stderr
    (repository.folder / "then.patch").write_text(done.stdout)
    repository.git("apply", "then.patch")
    machine.cli("apply", "--yes", "--worktree")
    assert machine.kv.get("brain/model") == old
    assert not paused(agent)


def test_a_key_of_syncd_s_own_that_was_asked_for_stays_and_that_is_no_success(
    machine: Machine, agent: ConsulAgent
) -> None:
    machine.cli("apply", "--yes")
    taken = machine.json("snapshot", "take")["file"]
    before = agent.tree("app/")
    done = machine.cli("snapshot", "restore", taken, "--key", "app/.syncd/revision", "--yes", check=3)
    assert "left: app/.syncd/revision" in done.stderr
    assert agent.tree("app/") == before


def test_a_key_that_is_not_in_it_and_a_prefix_of_nothing_are_errors(machine: Machine) -> None:
    taken = machine.json("snapshot", "take")["file"]
    assert "there is no key 'x'" in machine.cli("snapshot", "restore", taken, "--key", "x", check=1).stderr
    assert "no keys below 'x/'" in machine.cli("snapshot", "restore", taken, "--prefix", "x/", check=1).stderr
    machine.cli("snapshot", "restore", taken, "--prefix", "/", check=64)
    machine.cli("snapshot", "restore", taken, "--prefix", "x", "--wipe-cluster", check=64)


def test_single_keys_are_asked_for_too(machine: Machine, agent: ConsulAgent) -> None:
    agent.put("team/a", b"then")
    taken = machine.json("snapshot", "take")["file"]
    agent.put("team/a", b"now")
    done = machine.cli("snapshot", "restore", taken, "--key", "team/a", check=64)
    assert "say --yes" in done.stderr
    assert "~ update   team/a" in done.stderr
    assert "now" not in done.stderr.replace("Nothing", "")
    assert agent.get("team/a") == b"now"


def test_a_key_that_somebody_writes_at_once_is_theirs(machine: Machine, agent: ConsulAgent) -> None:
    agent.put("team/a", b"then")
    taken = machine.json("snapshot", "take")["file"]
    agent.put("team/a", b"now")
    with proxy_to(agent.address) as proxy:
        proxy.when(request_to("PUT", "/v1/kv/team/a"), before(lambda: agent.put("team/a", b"theirs")))
        words = ("snapshot", "restore", taken, "--key", "team/a", "--yes")
        told = machine.cli(*words, "--address", proxy.address, check=75).stderr
    assert "somebody has written it" in told
    assert agent.get("team/a") == b"theirs"


@pytest.mark.parametrize(
    ("answer", "code", "values"), [(b"y\n", 0, (b"then", b"then")), (b"n\n", 1, (b"now", b"now"))], ids=["yes", "no"]
)
@pytest.mark.parametrize("words", [(), ("--key", "team/a", "--key", "team/b")], ids=["whole", "keys"])
def test_a_person_is_asked_and_decides(
    machine: Machine,
    agent: ConsulAgent,
    answer: bytes,
    code: int,
    values: tuple[bytes, bytes],
    words: tuple[str, ...],
) -> None:
    for key in ("team/a", "team/b"):
        agent.put(key, b"then")
    taken = machine.json("snapshot", "take")["file"]
    for key in ("team/a", "team/b"):
        agent.put(key, b"now")
    person, terminal = pty.openpty()
    os.write(person, answer)
    done = subprocess.run(
        [*COMMAND, "snapshot", "restore", taken, *words],
        cwd=machine.repository.folder,
        env=environment(machine.home, CONSUL_HTTP_ADDR=agent.address, SYNCD_STORE_PREFIX="app"),
        stdin=terminal,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(person)
    os.close(terminal)
    assert (done.returncode, (agent.get("team/a"), agent.get("team/b"))) == (code, values), done.stderr
    assert "[y/N]" in done.stderr
    assert paused(agent) is (code == 0 and not words)
