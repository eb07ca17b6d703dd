"""``syncd snapshot`` on a real Consul, with ACLs on."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.consul import ConsulAgent, consul_binary, start_agent
from tests.support.machine import Kv, Machine
from tests.support.repository import Repository

pytestmark = pytest.mark.consul
DAEMON = 'key_prefix "" { policy = "write" } session_prefix "" { policy = "write" } operator = "read"'


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    with start_agent(acl=True) as agent:
        yield agent


@pytest.fixture
def machine(guarded: ConsulAgent, repository: Repository, tmp_path: Path) -> Machine:
    """A machine that has a management token for snapshots alone."""
    home = tmp_path / "home"
    home.mkdir()
    assert guarded.token
    (home / "management").write_text(guarded.token)
    (home / "daemon").write_text(guarded.make_token(DAEMON))
    settings = (
        f'state_directory = "{home}/state"\n[store]\ntoken_file = "{home}/daemon"\n'
        f'[snapshots]\ntoken_file = "{home}/management"\ndirectory = "{home}/backup"\n'
    )
    (repository.folder / "syncd.toml").write_text(settings)
    return Machine(repository, home, Kv(guarded.address, "app"))


def consul(guarded: ConsulAgent, *words: str) -> str:
    environment = {"CONSUL_HTTP_ADDR": guarded.address, "CONSUL_HTTP_TOKEN": guarded.token or ""}
    return subprocess.run([consul_binary(), *words], env=environment, capture_output=True, text=True, check=True).stdout


def test_the_daemon_s_token_is_refused_and_the_management_token_is_enough(
    machine: Machine, guarded: ConsulAgent
) -> None:
    daemons = machine.home / "daemon"
    told = machine.cli("snapshot", "take", "--snapshot-token-file", str(daemons), check=1).stderr
    assert "Permission denied" in told
    assert "management token" in told
    assert "snapshots.token_file" in told
    assert daemons.read_text() not in told
    done = machine.cli("snapshot", "take")
    assert "verified" in done.stdout
    assert guarded.token
    assert guarded.token not in done.stdout + done.stderr


def test_the_store_s_own_token_file_is_never_used(machine: Machine, repository: Repository) -> None:
    text = (repository.folder / "syncd.toml").read_text().replace(f'token_file = "{machine.home}/management"\n', "")
    (repository.folder / "syncd.toml").write_text(text.replace("/daemon", "/management"))
    assert "Permission denied" in machine.cli("snapshot", "take", check=1).stderr


def test_it_is_named_after_the_applied_commit(machine: Machine, repository: Repository) -> None:
    machine.cli("apply", "--yes")
    commit = repository.git("rev-parse", "HEAD").strip()
    taken = machine.json("snapshot", "take")
    contents = taken["manifest"]["contents"]
    assert contents["commit"] == commit
    assert Path(taken["file"]).name.endswith(f"-{contents['index']}-{commit[:7]}.snap")
    assert contents["kinds"]["ACLToken"]["count"] >= 3
    found = machine.json("snapshot", "inspect", taken["file"], "--keys")
    assert found["contents"] == contents
    listed = {each["key"] for each in found["keys"]}
    assert {"app/brain/model", "app/.syncd/revision"} <= listed
    assert machine.cli("snapshot", "show", taken["file"], "app/brain/model").stdout == "qwen2.5:3b"


def test_consul_takes_ours_and_we_take_consul_s(machine: Machine, guarded: ConsulAgent, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.snap"
    guarded.put("shop/a", b"\xff", flags=9)
    consul(guarded, "snapshot", "save", str(theirs))
    ours = machine.json("snapshot", "take")["file"]
    index = machine.json("snapshot", "inspect", ours)["contents"]["index"]
    theirs_says = consul(guarded, "snapshot", "inspect", ours)
    assert re.search(rf"^ *Index +{index}$", theirs_says, re.MULTILINE)
    found = machine.json("snapshot", "inspect", str(theirs))
    assert found["foreign"] is True
    assert found["contents"]["nodes"] == 1
    assert "sound" in machine.cli("snapshot", "verify", str(theirs)).stdout
    assert "Compared: " in machine.cli("snapshot", "diff", str(theirs), ours).stdout


def test_an_extract_is_what_consul_exports(machine: Machine, guarded: ConsulAgent, tmp_path: Path) -> None:
    for key, value in {"out/a": b"1", "out/b/c": b"\x00\xff", "out/é": b"", "outer": b"no"}.items():
        guarded.put(key, value, flags=len(key))
    taken = machine.json("snapshot", "take")["file"]
    export = machine.cli("snapshot", "extract", taken, "--prefix", "out").stdout
    assert export == consul(guarded, "kv", "export", "out/")
    assert [base64.b64decode(each["value"]) for each in json.loads(export)] == [b"1", b"\x00\xff", b""]
    machine.cli("snapshot", "extract", taken, "--prefix", "out/", "--output", "yaml", "--into", str(tmp_path / "tree"))
    assert (tmp_path / "tree/a").read_bytes() == b"1"
    assert (tmp_path / "tree/b.yaml").read_text().startswith("c: !!binary")


def test_what_changed_between_two_is_told_without_values(machine: Machine, guarded: ConsulAgent) -> None:
    guarded.put("d/old", "hunter2")
    guarded.put("d/same", "x")
    first = machine.json("snapshot", "take")["file"]
    guarded.put("d/new", "hunter3")
    guarded.put("d/same", "hunter4")
    guarded.delete("d/old")
    second = machine.json("snapshot", "take")["file"]
    told = machine.cli("snapshot", "diff", first, second).stdout
    assert [line.split()[:3] for line in told.splitlines()[:-1]] == [
        ["+", "create", "d/new"],
        ["-", "delete", "d/old"],
        ["~", "update", "d/same"],
    ]
    assert "hunter" not in told
    assert "Compared: 1 created, 1 updated, 1 deleted" in told
    shown = machine.cli("snapshot", "diff", first, second, "--values").stdout
    assert "x → hunter4" in shown


def test_the_program_after_it_gets_the_path_and_its_failure_keeps_the_old(machine: Machine, tmp_path: Path) -> None:
    keep = {f"SYNCD_SNAPSHOTS_KEEP_{sort}": "0" for sort in ("DAILY", "WEEKLY", "MONTHLY")}

    def take(after: str, check: int = 0) -> CompletedProcess[str]:
        extra = {**keep, "SYNCD_SNAPSHOTS_KEEP_LAST": "1", "SYNCD_SNAPSHOTS_AFTER": after}
        return machine.cli("snapshot", "take", check=check, stdin="", **extra)

    take(f"cp,-t,{tmp_path}")
    (first,) = machine.json("snapshot", "list")
    copied = tmp_path / Path(first["file"]).name
    assert copied.read_bytes() == Path(first["file"]).read_bytes()
    told = take("cp,-t,/nowhere", check=1).stderr
    assert "the snapshot is good, but cp failed after it: exit 1\n" in told
    assert "cp: " in told.partition("snapshots.after printed")[2], "what it printed is in the log"
    assert len(machine.json("snapshot", "list")) == 2
    assert "removed consul-" in take(f"cp,-t,{tmp_path}").stdout
    assert len(machine.json("snapshot", "list")) == 1


def test_a_daemon_takes_the_one_that_is_due_with_the_management_token_and_says_so(
    machine: Machine, guarded: ConsulAgent
) -> None:
    machine = replace(machine, kv=Kv(guarded.address, "nightly"))
    with machine.run() as daemon:
        daemon.wait_for_output("took a snapshot")
        daemon.wait_for_output("applied")
        (taken,) = machine.json("snapshot", "list")
        told = machine.cli("status").stdout
        assert f"{taken['file']}; the next is due in " in told
        assert guarded.token
        assert guarded.token not in daemon.output + told
        assert daemon.stop() == 0
    with machine.run() as again:
        again.wait_for_output("in sync")
        assert again.stop() == 0
    assert len(machine.json("snapshot", "list")) == 1


def test_a_daemon_whose_snapshot_is_refused_goes_on_and_says_so(machine: Machine, guarded: ConsulAgent) -> None:
    machine = replace(machine, kv=Kv(guarded.address, "refused"))
    (machine.home / "management").write_text((machine.home / "daemon").read_text())
    with machine.run() as daemon:
        daemon.wait_for_output("the scheduled snapshot failed")
        daemon.wait_for_output("applied")
        told = machine.cli("status").stdout
        assert "snapshot there is none yet" in told
        assert "Permission denied" in told
        assert "management token" in told
        assert daemon.stop() == 0
