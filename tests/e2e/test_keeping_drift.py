"""``syncd drift`` and its patch: what somebody changed in the store is brought into the files."""

import json
import subprocess
from pathlib import Path

from tests.support.machine import Machine

PAUSE = b'{"format":1,"pause":{"author":"Ana","since":0}}'
GO_ON = b'{"format":1}'
BRAIN = "# What thinks.\nmodel: 'qwen2.5:3b'  # tried and good\ntemperature: 0.7\nstop: [a, b]\n"
WITH_SECRET = "rules:\n- match: tts.yaml\n  secret: [tts/token]\n- match: '*'\n  drift: report\n"


def git_apply(folder: Path, patch: str) -> None:
    done = subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.encode(), capture_output=True, check=False)
    assert done.returncode == 0, (done.stderr, patch)


def edit_by_hand(machine: Machine) -> dict[str, bytes]:
    """Change what ``BRAIN`` says, and return all that stands in the store then."""
    machine.kv.put("brain/model", b"llama3.2:3b")
    machine.kv.put("brain/stop", b'["a","c"]')
    machine.kv.delete("brain/temperature")
    return machine.kv.tree()


def test_an_edit_made_while_paused_is_kept_by_a_patch(machine: Machine) -> None:
    machine.repository.commit({"brain.yaml": BRAIN})
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put(".syncd/control", PAUSE)
        daemon.wait_for_output("paused")
        edited = edit_by_hand(machine)
        git_apply(machine.repository.folder, machine.cli("drift", "--patch").stdout)
        kept = "# What thinks.\nmodel: 'llama3.2:3b'  # tried and good\nstop: [a, c]\n"
        assert (machine.repository.tree / "brain.yaml").read_text() == kept
        commit = machine.repository.commit()
        machine.kv.put(".syncd/control", GO_ON)
        daemon.wait_for(lambda: machine.kv.own("revision")["applied"]["commit"] == commit)
        assert machine.kv.tree() == edited
        assert machine.json("drift")["drift"] == []
        assert "healed" not in daemon.output


def test_reported_drift_is_kept_by_a_patch_from_below_the_root(machine: Machine) -> None:
    machine.repository.commit({"brain.yaml": BRAIN, ".syncd.yaml": "rules:\n- match: '*'\n  drift: report\n"})
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        edited = edit_by_hand(machine)
        daemon.wait_for_output("live=(missing)")
        assert "--patch | git apply, then commit'" in daemon.output
        git_apply(machine.repository.tree, machine.cli("drift", "--patch").stdout)
        commit = machine.repository.commit()
        daemon.wait_for(lambda: machine.kv.own("revision")["applied"]["commit"] == commit)
        assert machine.kv.tree() == edited
        assert "No drift" in machine.cli("drift").stdout


def test_drift_is_listed_with_both_values_and_the_place(machine: Machine) -> None:
    machine.repository.commit({"brain.yaml": BRAIN})
    assert "Nothing is applied yet" in machine.cli("drift").stdout
    machine.cli("apply", "--yes")
    assert machine.cli("drift", "--detailed-exitcode").stdout.startswith("No drift: ")
    assert machine.cli("drift", "--patch").stderr == "no drift: there is nothing to patch\n"
    edit_by_hand(machine)
    machine.kv.put("theirs/key", b"foreign keys are no drift")
    machine.kv.put("wake_word/sensitivity", b"0.7")
    lines = machine.cli("drift", "--detailed-exitcode", check=2).stdout.splitlines()
    assert lines[:3] == [
        "~ changed  brain/model  qwen2.5:3b → llama3.2:3b  (config/mordomo/brain.yaml:2:1)",
        '~ changed  brain/stop  ["a","b"] → ["a","c"]  (config/mordomo/brain.yaml:4:1)',
        "- deleted  brain/temperature  0.7  (config/mordomo/brain.yaml:3:1)",
    ]
    assert lines[3].startswith("Drift: 2 keys changed, 1 key deleted in test/")
    assert lines[4].endswith("--patch | git apply, then commit.")
    told = machine.json("drift")
    assert told["applied"] == machine.repository.git("rev-parse", "HEAD")
    assert told["drift"][2] == {
        "key": "brain/temperature",
        "git": {"text": "0.7"},
        "live": None,
        "at": "config/mordomo/brain.yaml:3:1",
        "tip": "same",
    }


def test_the_patch_is_made_for_the_newest_commit(local: Machine) -> None:
    local.repository.commit({"brain.yaml": BRAIN})
    local.cli("apply", "--yes")
    edit_by_hand(local)
    local.repository.commit({"brain.yaml": BRAIN.replace("'qwen2.5:3b'", "phi4").replace("#", "# Moved.\n#", 1)})
    done = local.cli("drift", "--patch")
    assert done.stderr == (
        "not in the patch: brain/model: the newest commit itself changes it; change it by hand at "
        "config/mordomo/brain.yaml:3:1\n"
    )
    git_apply(local.repository.folder, done.stdout)
    assert (local.repository.tree / "brain.yaml").read_text() == (
        "# Moved.\n# What thinks.\nmodel: phi4  # tried and good\nstop: [a, c]\n"
    )
    local.repository.commit()
    assert "says so, too" in local.cli("drift").stdout
    assert "change it by hand" not in local.cli("drift", "--patch").stderr.splitlines()[-1]


def test_a_secret_is_neither_shown_nor_patched(local: Machine) -> None:
    local.repository.commit({".syncd.yaml": WITH_SECRET, "tts.yaml": "voice: a\nspeed: 1\ntoken: s3cret\n"})
    local.cli("apply", "--yes")
    local.kv.put("tts/token", b"hunter2")
    local.kv.put("tts/voice", b"b")
    shown, told, patch = local.cli("drift"), local.cli("drift", "--output", "json"), local.cli("drift", "--patch")
    for done in (shown, told, patch):
        assert "s3cret" not in done.stdout + done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    assert "sha256:" in shown.stdout
    assert "not in the patch: tts/token: its value is secret" in patch.stderr
    assert patch.stderr.endswith("change it by hand at config/mordomo/tts.yaml:3:1\n")
    git_apply(local.repository.folder, patch.stdout)
    assert (local.repository.tree / "tts.yaml").read_text() == "voice: b\nspeed: 1\ntoken: s3cret\n"


def test_opaque_files_and_unusual_names_are_patched(local: Machine) -> None:
    local.repository.commit({"a b/caf\u00e9.txt": "one\ntwo", "gone.txt": "x\n", "bytes.bin": b"\xff\x00"})
    local.cli("apply", "--yes")
    local.kv.put("a%20b/caf%C3%A9.txt".replace("%20", " ").replace("%C3%A9", "\u00e9"), b"one\nthree\n")
    local.kv.delete("gone.txt")
    local.kv.put("bytes.bin", b"\xfe")
    done = local.cli("drift", "--patch")
    assert "not in the patch: bytes.bin: bytes that are not text do not fit a patch" in done.stderr
    git_apply(local.repository.folder, done.stdout)
    assert (local.repository.tree / "a b/caf\u00e9.txt").read_text() == "one\nthree\n"
    assert not (local.repository.tree / "gone.txt").exists()


def test_an_invalid_tip_still_lets_drift_be_listed(local: Machine) -> None:
    local.cli("apply", "--yes")
    local.kv.put("brain/model", b"by-hand")
    local.repository.commit({"brain.yaml": "model: [\n"})
    assert "brain/model  qwen2.5:3b → by-hand  (config/mordomo/brain.yaml:1:1)" in local.cli("drift").stdout
    assert local.cli("drift", "--patch", check=65).stdout == ""


def test_a_lost_applied_commit_is_said_and_nothing_is_guessed(local: Machine, tmp_path: Path) -> None:
    local.cli("apply", "--yes")
    record = json.loads(local.kv.get(".syncd/revision") or b"")
    record["applied"]["commit"] = "d" * 40
    local.kv.put(".syncd/revision", json.dumps(record).encode())
    done = local.other("elsewhere").cli("drift", check=1)
    assert "nobody knows any more what commit ddddddd, which is applied, said" in done.stderr


def test_a_patch_is_no_json(local: Machine) -> None:
    assert "exclude each other" in local.cli("drift", "--patch", "--output", "json", check=64).stderr
