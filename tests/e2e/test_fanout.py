"""Who asked to be told of changes is told: a signed webhook, a command, a file from a template; on either store."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hook import Hook, hook
from tests.support.machine import Machine
from tests.support.waiting import wait_until

SEED = {
    "brain/model": "qwen2.5:3b",
    "brain/temperature": "0.7",
    "tts/voice": "pt_BR-faber-medium",
    "wake_word/sensitivity": "0.7",
}


@pytest.fixture
def there() -> Iterator[Hook]:
    """Somebody who wants to be told."""
    with hook() as made:
        yield made


def subscribe(machine: Machine, *tables: str) -> None:
    """Write the settings that ``syncd run`` finds where it is started."""
    (machine.repository.folder / "syncd.toml").write_text("\n".join(tables))


def shown(value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"


# promise 15
def test_a_new_subscriber_gets_the_full_state_and_then_each_commit_once_with_all_that_it_says(
    machine: Machine, there: Hook
) -> None:
    subscribe(machine, there.subscriber("all", machine.home))
    with machine.run() as daemon:
        there.wait_for_tries(1)
        (full,) = there.tries
        assert (full.kind, full.values) == ("state.reset", SEED)
        commit = machine.repository.commit({"brain.yaml": "model: llama3.2:3b\n"}, "Try another model")
        there.wait_for_tries(2)
        told = there.tries[1]
        assert told.kind == "revision.applied"
        data = told.body["data"]
        assert (data["prefix"], data["count"], data["detail"]) == (machine.kv.prefix, 2, "full")
        said = data["revision"]
        assert (said["commit"], said["ref"], said["message"]) == (commit, "main", "Try another model")
        assert said["author"].startswith("Ana")
        changes = {change.pop("key"): change for change in data["changes"]}
        assert changes["brain/model"] == {
            "operation": "update",
            "old": "qwen2.5:3b",
            "new": "llama3.2:3b",
            "old_hash": shown("qwen2.5:3b"),
            "new_hash": shown("llama3.2:3b"),
            "at": "config/mordomo/brain.yaml:1:1",
        }
        assert changes["brain/temperature"] == {"operation": "delete", "old": "0.7", "old_hash": shown("0.7")}
        machine.repository.commit({"tts.yaml": "voice: other\n"})
        there.wait_for_tries(3)
        assert there.tries[2].values == {"tts/voice": "other"}
        assert daemon.stop() == 0
    assert len(set(there.ids)) == len(there.tries) == 3, "each once"
    assert {key: value.encode() for key, value in there.replica.keys.items()} == machine.kv.tree()


# promise 12
def test_a_secret_comes_as_a_hash(machine: Machine, there: Hook) -> None:
    heard = machine.home / "heard"
    hidden = "rules:\n- match: hidden.yaml\n  secret: true\n"
    machine.repository.commit({"hidden.yaml": "token: hunter2\n", ".syncd.yaml": hidden})
    subscribe(machine, there.subscriber("all", machine.home), command("log", heard))
    with machine.run():
        there.wait_for_tries(1)
        assert there.replica.keys["hidden/token"] == shown("hunter2")
        machine.repository.commit({"hidden.yaml": "token: hunter3\n"})
        there.wait_for_tries(2)
        (change,) = there.tries[1].body["data"]["changes"]
        assert (change["old_hash"], change["new_hash"]) == (shown("hunter2"), shown("hunter3"))
        wait_until(lambda: heard.exists() and heard.read_text().count("\n") == 2, "the command is told")
        machine.repository.commit({"hidden.yaml": None})
        there.wait_for_tries(3)
        wait_until(lambda: heard.read_text().count("\n") == 3, "the command is told")
    assert "hunter" not in json.dumps([got.body for got in there.tries]) + heard.read_text()


def test_a_drift_that_is_healed_is_not_told_and_a_strangers_key_is(machine: Machine, there: Hook) -> None:
    subscribe(machine, there.subscriber("all", machine.home))
    with machine.run() as daemon:
        there.wait_for_tries(1)
        machine.kv.put("brain/model", b"by-hand")
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"qwen2.5:3b")
        machine.kv.delete("tts/", below=True)
        daemon.wait_for(lambda: machine.kv.get("tts/voice") is not None)
        machine.kv.put("theirs/key", b"1")
        there.wait_for_tries(2)
        machine.kv.delete("theirs/key")
        there.wait_for_tries(3)
    kinds = [(got.kind, got.values, got.body["data"]["revision"]) for got in there.tries[1:]]
    assert kinds == [("keys.changed", {"theirs/key": "1"}, None), ("keys.changed", {"theirs/key": None}, None)]


def test_who_cares_for_a_prefix_or_a_pattern_hears_of_nothing_else(machine: Machine) -> None:
    with hook() as brain, hook() as voices, hook() as both:
        subscribe(
            machine,
            brain.subscriber("brain", machine.home, 'prefix = ["brain/"]'),
            voices.subscriber("voices", machine.home, 'match = ["*/voice"]', "values = false"),
            both.subscriber("all", machine.home),
        )
        with machine.run():
            for there in (brain, voices, both):
                there.wait_for_tries(1)
            machine.repository.commit({"tts.yaml": "voice: other\n"})
            voices.wait_for_tries(2)
            both.wait_for_tries(2)
            machine.repository.commit({"brain.yaml": "model: next\ntemperature: 0.7\n"})
            brain.wait_for_tries(2)
            both.wait_for_tries(3)
        assert [got.values for got in brain.tries] == [
            {"brain/model": "qwen2.5:3b", "brain/temperature": "0.7"},
            {"brain/model": "next"},
        ]
        assert voices.replica.keys == {"tts/voice": shown("other")}
        assert len(voices.tries) == 2


def test_after_a_restart_only_who_is_new_is_told_anything(machine: Machine, there: Hook) -> None:
    with hook() as other:
        subscribe(machine, there.subscriber("first", machine.home))
        with machine.run() as daemon:
            there.wait_for_tries(1)
            machine.repository.commit({"tts.yaml": "voice: other\n"})
            there.wait_for_tries(2)
            assert daemon.stop() == 0
        subscribe(machine, there.subscriber("first", machine.home), other.subscriber("second", machine.home))
        with machine.run() as daemon:
            other.wait_for_tries(1)
            assert other.replica.keys == SEED | {"tts/voice": "other"}
            machine.repository.commit({"wake_word.yaml": "sensitivity: 0.5\n"})
            there.wait_for_tries(3)
            other.wait_for_tries(2)
            assert there.tries[2].values == other.tries[1].values == {"wake_word/sensitivity": "0.5"}
            assert daemon.stop() == 0
        assert (len(there.tries), len(other.tries)) == (3, 2)


def command(name: str, heard: Path, *fields: str) -> str:
    """Write the table of a command that appends each event to a file, as a line."""
    argv = json.dumps(["/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(heard)])
    return "\n".join(["[[subscriber]]", f'name = "{name}"', f"command = {argv}", *fields, ""])


def test_a_command_gets_events_on_its_standard_input_and_a_file_follows_its_template(machine: Machine) -> None:
    heard, made, done = (machine.home / name for name in ("heard", "made.conf", "done"))
    template = machine.home / "made.j2"
    template.write_text("{% for each in ls('brain/') %}{{ each }}\n{% endfor %}model={{ key('brain/model') }}\n")
    file = [
        "[[subscriber]]",
        'name = "conf"',
        'prefix = ["brain/"]',
        f'file = "{made}"',
        f'template = "{template}"',
        f'command = ["touch", "{done}"]',
        "",
    ]
    subscribe(machine, command("log", heard, 'prefix = ["brain/"]'), "\n".join(file))
    with machine.run():
        wait_until(done.exists, "the file's command has run")
        assert "model=qwen2.5:3b\n" in made.read_text()
        done.unlink()
        commit = machine.repository.commit({"tts.yaml": "voice: other\n", "brain.yaml": "model: next\n"})
        wait_until(done.exists, "the file's command has run again")
        assert "model=next\n" in made.read_text()
        wait_until(lambda: heard.read_text().count("\n") == 2, "the command is told")
        full, told = (json.loads(line) for line in heard.read_text().splitlines())
        assert full["type"] == "syncd.state.reset.v1"
        assert told["data"]["revision"]["commit"] == commit
        assert {each["key"] for each in told["data"]["changes"]} == {"brain/model", "brain/temperature"}
