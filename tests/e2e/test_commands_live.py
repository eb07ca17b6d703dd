"""Commands that ask a running daemon, or work without one."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import Machine
from tests.support.process import COMMAND, Process, environment
from tests.support.waiting import wait_until

SINK = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read() + '\\n')"


@pytest.fixture
def sink(local: Machine, tmp_path: Path) -> Path:
    """What the subscriber ``sink`` was told, one event a line; ``deaf`` is one whom nobody can tell."""
    file = tmp_path / "told.jsonl"
    file.touch()
    command = json.dumps([sys.executable, "-c", SINK, str(file)])
    (local.repository.folder / "syncd.toml").write_text(
        f'[[subscriber]]\nname = "sink"\ncommand = {command}\n\n'
        '[[subscriber]]\nname = "deaf"\nwebhook = "http://127.0.0.1:1/never?token=hidden"\n'
    )
    return file


def told(sink: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.read_text().splitlines()]


def started(machine: Machine, stack: ExitStack) -> Process:
    daemon = stack.enter_context(machine.run())
    daemon.wait_for_output("applied")
    return daemon


def interrupted(process: Process) -> int:
    """Press Ctrl-C, and return the exit code."""
    process.process.send_signal(signal.SIGINT)
    return process.process.wait(timeout=20)


# -- watch


def test_watch_prints_each_change_as_it_comes(local: Machine) -> None:
    with ExitStack() as stack:
        started(local, stack)
        watch = stack.enter_context(local.start("watch"))
        watch.wait_for_output("watching every key")
        wait_until(
            lambda: json.loads(local.cli("status", "--output", "json").stdout)["daemon"]["streams"], "it follows"
        )
        local.repository.commit({"brain.yaml": "model: other\n"}, "Try another")
        watch.wait_for_output("brain/temperature")
        lines = watch.output.splitlines()
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [0-9a-f]{7} 'Try another' by Ana <ana@example.org>: 2 keys", lines[1]
        )
        assert set(lines[2:4]) == {
            "~ update   brain/model  qwen2.5:3b → other  (config/mordomo/brain.yaml:1:1)",
            "- delete   brain/temperature  0.7",
        }
        local.kv.put("extra", b"x")
        watch.wait_for_output("changed behind git's back: 1 key\n+ create   extra  x")
        assert interrupted(watch) == 130


def test_watch_leaves_out_what_begins_otherwise_and_prints_events_as_json(local: Machine) -> None:
    with ExitStack() as stack:
        started(local, stack)
        watch = stack.enter_context(local.start("watch", "tts/", "--output", "json"))
        watch.wait_for_output("watching tts/")
        wait_until(
            lambda: json.loads(local.cli("status", "--output", "json").stdout)["daemon"]["streams"], "it follows"
        )
        local.repository.commit({"brain.yaml": "model: other\n", "tts.yaml": "voice: b\n"})
        watch.wait_for_output("specversion")
        event = json.loads(watch.output.splitlines()[1])
        assert event["type"] == "syncd.revision.applied.v1"
        assert [(each["key"], each["new"]) for each in event["data"]["changes"]] == [("tts/voice", "b")]
        assert interrupted(watch) == 130


def test_watch_goes_on_where_it_was_after_a_restart_of_the_daemon(local: Machine) -> None:
    with ExitStack() as stack:
        daemon = started(local, stack)
        watch = stack.enter_context(local.start("watch"))
        watch.wait_for_output("watching every key")
        local.repository.commit({"tts.yaml": "voice: b\n"})
        watch.wait_for_output("pt_BR-faber-medium → b")
        daemon.kill()
        watch.wait_for_output("; waiting until it is back")
        local.repository.commit({"tts.yaml": "voice: c\n"}, "Meanwhile")
        stack.enter_context(local.run())
        watch.wait_for_output("the daemon is back; watching every key")
        watch.wait_for_output(" → c")
        assert watch.output.count("'Meanwhile'") == 1
        assert "everything anew" not in watch.output
        assert interrupted(watch) == 130


def test_a_reader_of_watch_that_leaves_ends_it(local: Machine) -> None:
    settings = {"CONSUL_HTTP_ADDR": local.kv.address, "SYNCD_STORE_PREFIX": local.kv.prefix}
    settings["SYNCD_HTTP_SOCKET"] = str(local.socket)
    with ExitStack() as stack:
        started(local, stack)
        watch = stack.enter_context(
            subprocess.Popen(
                [*COMMAND, "watch"],
                cwd=local.repository.folder,
                env=environment(local.home, **settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert watch.stderr is not None
        assert watch.stdout is not None
        assert watch.stderr.readline() == "watching every key; Ctrl-C ends it\n"
        watch.stdout.close()
        local.repository.commit({"tts.yaml": "voice: b\n"})
        assert watch.wait(timeout=60) == 1
        assert watch.stderr.read() == ""


# -- no daemon


@pytest.mark.parametrize("words", [("watch",), ("subscribers", "list"), ("subscribers", "test", "sink")])
def test_without_a_daemon_a_command_says_what_to_do(local: Machine, words: tuple[str, ...]) -> None:
    said = local.cli(*words, check=75).stderr
    assert said.startswith("error: no daemon answers on this machine\n")
    assert "syncd.sock" in said
    assert "hint: start one: syncd run; " in said


def test_a_socket_that_nobody_serves_any_more_is_no_daemon(local: Machine, tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert "no daemon answers" in local.cli("subscribers", "list", check=75, SYNCD_HTTP_SOCKET=str(path)).stderr


def test_a_path_longer_than_the_kernel_takes_is_reached(local: Machine, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "syncd.sock"
    path.parent.mkdir()
    with local.run(SYNCD_HTTP_SOCKET=str(path)) as daemon:
        daemon.wait_for_output("applied")
        assert "Nobody is told." in local.cli("subscribers", "list", SYNCD_HTTP_SOCKET=str(path)).stdout


# -- subscribers


def test_subscribers_are_listed_with_how_they_stand(local: Machine, sink: Path) -> None:
    with ExitStack() as stack:
        started(local, stack)

        def listed() -> dict[str, Any]:
            return {each["name"]: each for each in local.json("subscribers", "list")["subscribers"]}

        wait_until(lambda: listed()["sink"]["delivered"] and listed()["deaf"]["tries"], "both were tried")
        lines = local.cli("subscribers", "list").stdout.splitlines()
        assert lines[0].split()[:6] == ["NAME", "KIND", "STATE", "BEHIND", "AGE", "NEXT"]
        deaf, idle = lines[1:]
        assert deaf.split()[:3] == ["deaf", "webhook", "waiting"]
        assert "http://127.0.0.1:1/never" in deaf
        assert "hidden" not in deaf
        assert "refused" in deaf
        assert idle.split()[:4] == ["sink", "command", "idle", "0"]


def test_a_test_says_what_came_of_it(local: Machine, sink: Path) -> None:
    with ExitStack() as stack:
        started(local, stack)
        wait_until(lambda: told(sink), "the state is told")
        assert local.cli("subscribers", "test", "sink").stdout.startswith("sink: delivered (")
        assert told(sink)[-1]["type"] == "syncd.test.v1"
        failed = json.loads(local.cli("subscribers", "test", "deaf", "--output", "json", check=1).stdout)
        assert (failed["name"], failed["outcome"]) == ("deaf", "failed")
        unknown = local.cli("subscribers", "test", "nobody", check=1).stderr
        assert unknown == "error: there is no subscriber nobody\n  hint: there are: deaf, sink\n"


def test_deliveries_are_listed_and_told_anew(local: Machine, sink: Path) -> None:
    with ExitStack() as stack:
        started(local, stack)
        wait_until(lambda: len(told(sink)) == 1, "the state is told")
        before = time.time()
        local.repository.commit({"tts.yaml": "voice: b\n"})
        wait_until(lambda: len(told(sink)) == 2, "the commit is told")
        wait_until(lambda: len(local.json("subscribers", "deliveries", "sink")["deliveries"]) == 2, "both are noted")
        newest = local.json("subscribers", "deliveries", "sink", "--most", "1")["deliveries"]
        assert [each["id"] for each in newest] == [told(sink)[-1]["id"]]
        table = local.cli("subscribers", "deliveries", "sink").stdout.splitlines()
        assert table[0].split() == ["ENDED", "OUTCOME", "TRIES", "TOOK", "EVENT", "ANSWER"]
        assert newest[0]["id"] in table[1]
        none = local.cli("subscribers", "deliveries", "deaf").stdout
        assert none.startswith("No delivery to deaf has come to an end yet; syncd subscribers list shows")

        local.cli("subscribers", "replay", "sink", "--event", newest[0]["id"])
        wait_until(lambda: len(told(sink)) == 3, "the event is told again")
        assert told(sink)[2]["data"]["changes"] == told(sink)[1]["data"]["changes"]
        local.cli("subscribers", "replay", "sink")
        wait_until(lambda: len(told(sink)) == 4, "the state is told again")
        assert told(sink)[3]["type"] == "syncd.state.reset.v1"
        assert local.json("subscribers", "replay", "sink", "--since", f"{time.time() - before + 60:.0f}s") == {
            "replaying": "sink"
        }
        wait_until(lambda: len(told(sink)) == 5, "what happened since is told again")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--full", "--since", "2h"), "only one of --since, --event and --full"),
        (("--since", "soon"), "'soon' is neither a duration (2h) nor an ISO time"),
        (("--since", "9999-01-01"), "'9999-01-01' is not in the past"),
    ],
)
def test_a_replay_begins_at_one_place(local: Machine, words: tuple[str, ...], said: str) -> None:
    assert said in local.cli("subscribers", "replay", "sink", *words, check=64).stderr


# -- pause


def test_a_pause_holds_and_is_lifted_again(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        said = machine.cli("pause", "--reason", "a demo").stdout
        assert re.match(r"Paused by \S+@\S+: a demo\.\nThe daemon of this machine has seen it; .* leads\.\n", said)
        machine.repository.commit({"tts.yaml": "voice: b\n"})
        assert "a demo" in machine.cli("apply", "--yes", check=3).stderr
        assert "is paused" in machine.cli("status").stdout
        again = machine.json("pause", "--reason", "another")
        assert (again["paused"], again["changed"], again["pause"]["reason"], again["seen"]) == (
            True,
            False,
            "a demo",
            True,
        )
        assert machine.kv.get("tts/voice") == b"pt_BR-faber-medium"
        assert machine.cli("resume").stdout.startswith("The pause is lifted.\nThe daemon of this machine has seen it")
        daemon.wait_for(lambda: machine.kv.get("tts/voice") == b"b")
        assert machine.cli("resume").stdout.startswith("Nothing was paused.\n")


def test_a_pause_needs_no_daemon_and_reaches_one_from_another_machine(local: Machine) -> None:
    assert local.cli("pause").stdout.endswith("No daemon leads at the moment.\n")
    with local.run() as daemon:
        daemon.wait_for_output("paused")
        said = local.other("elsewhere").cli("resume").stdout
        assert re.match(r"The pause is lifted\.\n(.* leads and goes on|No daemon leads at the moment)\.\n", said)
        daemon.wait_for(lambda: local.kv.get("tts/voice") == b"pt_BR-faber-medium")


def test_a_pause_leaves_an_approval_as_it_is(local: Machine) -> None:
    approval = {"hash": "0123456789abcdef", "author": "Ana", "expires": int(time.time()) + 600}
    local.kv.put(".syncd/control", json.dumps({"format": 1, "approval": approval}).encode())
    local.cli("pause")
    assert local.kv.own("control")["approval"] == approval
    local.cli("resume")
    assert local.kv.own("control")["approval"] == approval
    assert "pause" not in local.kv.own("control")


# -- status and apply


def test_status_shows_the_daemon_at_one_glance(local: Machine, sink: Path) -> None:
    with ExitStack() as stack:
        started(local, stack)
        wait_until(lambda: "deaf is waiting" in local.cli("status").stdout, "somebody could not be told")
        lines = local.cli("status").stdout.splitlines()
        assert [line.split()[0] for line in lines[2:5]] == ["daemon", "lag", "told"]
        assert re.search(r"daemon   leads; up for \d+ seconds?; its last good pass was ", lines[2])
        assert lines[3] == "lag      none"
        assert lines[4].startswith("told     2 subscribers (1 idle, 1 waiting)")
        live = local.json("status")["daemon"]
        assert live["role"] == "leading"
        assert live["subscribers"]["count"] == 2
    assert "daemon   no daemon answers on this machine\n" in local.cli("status").stdout


def test_status_names_the_daemons_store_where_it_asked_another_in_vain(local: Machine) -> None:
    with ExitStack() as stack:
        started(local, stack)
        told = local.cli("status", "--address", "127.0.0.1:1", check=75).stdout.splitlines()[-1]
    store = local.kv.address.removeprefix("http://")
    assert told.startswith("store    127.0.0.1:1 does not answer (Connection refused); the daemon's is ")
    assert told.endswith(f"{store}: name it with --address, or SYNCD_STORE_ADDRESS")


def test_an_apply_is_handed_to_the_daemon_that_leads_here(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        commit = machine.repository.commit({"tts.yaml": "voice: b\n"})
        done = machine.cli("apply", "--yes")
        assert "leads and applies it; waiting until it is applied" in done.stderr
        assert machine.kv.own("revision")["applied"]["commit"] == commit
        assert "Applied " in done.stdout or "Nothing was written." in done.stdout
        found = machine.json("apply", "--yes")
        assert (found["result"], found["commit"]) == ("unchanged", commit)
        assert "(pid " in found["by"]


def test_an_apply_beside_a_daemon_of_another_machine_is_refused_by_its_name(local: Machine) -> None:
    with local.run() as daemon:
        daemon.wait_for_output("applied")
        local.repository.commit({"tts.yaml": "voice: b\n"})
        other = replace(local, home=local.home.with_name("elsewhere"))
        said = other.cli("apply", "--yes", check=3).stderr
        assert "error: the lease is held by " in said
        assert "it applies its branch by itself" in said


def test_an_apply_of_another_branch_is_not_handed_over(local: Machine) -> None:
    with local.run() as daemon:
        daemon.wait_for_output("applied")
        local.repository.git("branch", "other")
        said = local.cli("apply", "--yes", "--branch", "other", check=3).stderr
        assert "error: the lease is held by " in said
