"""Two machines with the same subscribers: who tells whom, and what a successor tells."""

from pathlib import Path

from tests.support.hook import Hook, hook
from tests.support.machine import Machine
from tests.support.process import Process


def config(folder: Path, there: Hook) -> Path:
    """Write a machine's settings: a webhook that both have, and a file of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "model.j2").write_text('{{ key("brain/model") }} of {{ revision.commit }}')
    copy = f'[[subscriber]]\nname = "copy"\nfile = "{folder}/model"\ntemplate = "model.j2"\n'
    path = folder / "syncd.toml"
    path.write_text(there.subscriber("hook", folder) + copy)
    return path


def wait_for_file(daemon: Process, folder: Path, text: str) -> None:
    file = folder / "model"
    daemon.wait_for(lambda: file.exists() and file.read_text() == text, f"{text!r} in {file}")


# promise 15
# promise 16
def test_the_leader_tells_webhooks_each_machine_its_own_files_and_a_successor_what_it_does_not_know_to_be_told(
    machine: Machine, tmp_path: Path
) -> None:
    other, (one, two) = machine.other("other"), (tmp_path / "one", tmp_path / "two")
    other.home.mkdir()
    with hook() as there, machine.run("--config", str(config(one, there))) as first:
        first.wait_for_output("applied")
        there.wait_for_tries(1)
        with other.run("--config", str(config(two, there))) as second:
            second.wait_for_output("standing by")
            start = machine.repository.git("rev-parse", "HEAD")
            wait_for_file(second, two, f"qwen2.5:3b of {start}")
            commit = machine.repository.commit({"brain.yaml": "model: next\n"})
            for daemon, folder in ((first, one), (second, two)):
                wait_for_file(daemon, folder, f"next of {commit}")
            there.wait_for_tries(2)
            assert [each.kind for each in there.tries] == ["state.reset", "revision.applied"], (
                "told once, by the leader"
            )
            first.stop()
            there.wait_for_tries(3)
            assert there.tries[2].values["brain/model"] == "next"
            commit = machine.repository.commit({"brain.yaml": "model: last\n"})
            wait_for_file(second, two, f"last of {commit}")
            second.wait_for(lambda: there.replica.keys.get("brain/model") == "last", "the successor tells nothing")
            assert second.stop() == 0
