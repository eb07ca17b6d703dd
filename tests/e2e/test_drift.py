"""A key that is changed behind git's back, on either store."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from syncd.core.mark import mark_of
from tests.support.machine import Machine

REPORT = "rules:\n- match: tts.yaml\n  drift: report\n"


# promise 14
def test_an_edit_by_hand_is_healed_and_the_log_says_how_to_keep_it(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        record = machine.kv.entry(".syncd/revision")
        machine.kv.put("brain/model", b"by-hand")
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"qwen2.5:3b")
        daemon.wait_for_output("git wins")
        assert "healed  key=brain/model old=by-hand new=qwen2.5:3b at=config/mordomo/brain.yaml:1" in daemon.output
        assert (
            "hint='to keep a change, put it into the file and line named above and commit; while one" in daemon.output
        )
        assert " --patch | git apply does that'" in daemon.output
        entry = machine.kv.entry("brain/model")
        assert entry is not None
        assert entry["Flags"] == mark_of(machine.kv.prefix)
        assert machine.kv.entry(".syncd/revision") == record, "a heal is no new revision"


def test_an_edit_that_keeps_the_mark_as_the_web_ui_does_is_healed_too(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put("brain/model", b"by-hand", flags=mark_of(machine.kv.prefix))
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"qwen2.5:3b")


def test_a_deleted_key_comes_back_and_so_does_a_whole_folder(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        before = machine.kv.tree()
        machine.kv.delete("tts/voice")
        daemon.wait_for(lambda: machine.kv.tree() == before)
        machine.kv.delete("brain/", below=True)
        daemon.wait_for(lambda: machine.kv.tree() == before)


def test_a_strangers_key_is_left_alone_and_one_with_our_mark_is_not(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put("theirs/key", b"stays")
        machine.kv.put("ours/key", b"goes", flags=mark_of(machine.kv.prefix))
        daemon.wait_for(lambda: machine.kv.get("ours/key") is None)
        assert machine.kv.get("theirs/key") == b"stays"


# promise 14
def test_reported_drift_is_told_once_and_stays(machine: Machine) -> None:
    machine.repository.commit({".syncd.yaml": REPORT})
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put("tts/voice", b"by-hand")
        told = (
            "drift is reported and left  key=tts/voice git=pt_BR-faber-medium live=by-hand at=config/mordomo/tts.yaml:1"
        )
        daemon.wait_for_output(told)
        machine.kv.put("brain/model", b"by-hand")
        daemon.wait_for_output("git wins")
        machine.repository.commit({"brain.yaml": "model: next\n"})
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"next")
        assert machine.kv.get("tts/voice") == b"by-hand"
        assert daemon.output.count(told) == 1
        machine.kv.delete("tts/voice")
        daemon.wait_for_output("live=(missing)")
        machine.repository.commit({"tts.yaml": "voice: other\n"})
        daemon.wait_for(lambda: machine.kv.get("tts/voice") == b"other")


def test_a_paused_daemon_heals_when_it_goes_on(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put(".syncd/control", b'{"format":1,"pause":{"author":"Ana","since":0}}')
        daemon.wait_for_output("paused")
        machine.kv.put("brain/model", b"by-hand")
        machine.kv.put("theirs/key", b"a sign that a write was seen")
        machine.kv.put(".syncd/control", b'{"format":1}')
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"qwen2.5:3b")


# promise 14
def test_a_rival_is_named_and_neither_commits_nor_other_keys_wait_for_it(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        with rival(machine, "brain/model"):
            daemon.wait_for_output("somebody writes this key again and again")
            machine.kv.put("wake_word/sensitivity", b"by-hand")
            daemon.wait_for(lambda: machine.kv.get("wake_word/sensitivity") == b"0.7")
            machine.repository.commit({"tts.yaml": "voice: other\n"})
            daemon.wait_for(lambda: machine.kv.get("tts/voice") == b"other")
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"qwen2.5:3b")


@contextmanager
def rival(machine: Machine, key: str) -> Iterator[None]:
    """Write a key all the time."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            machine.kv.put(key, b"rival %d" % number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
