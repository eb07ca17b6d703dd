"""What a person must decide, nobody else does: histories, orders and records that stand in the way."""

import base64
import subprocess
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core import control
from syncd.core.control import Approval, Control, Pause
from tests.support.node import apply_once
from tests.support.repository import Repository
from tests.support.scene import Scene
from tests.support.waiting import until

FAR = 2**37


def cloned(repository: Repository, folder: Path) -> Repository:
    subprocess.run(["git", "clone", "-q", str(repository.folder), str(folder)], check=True)
    return Repository(folder)


async def told(logs: list[EventDict], **wanted: str) -> EventDict:
    """Wait for a log line with these fields."""

    def found() -> list[EventDict]:
        return [line for line in logs if wanted.items() <= line.items()]

    async def is_told() -> bool:
        return bool(found())

    try:
        await until(is_told, f"no log line with {wanted}")
    except TimeoutError:
        raise AssertionError(f"no log line with {wanted} among {logs}") from None
    return found()[-1]


def approve(scene: Scene, hint: str) -> None:
    """Do what the hint says: ``syncd apply --approve HASH``, while a daemon leads."""
    orders = Control(approval=Approval(hint.partition("--approve ")[2].partition(" ")[0], "Ana", FAR))
    scene.live.put(".syncd/control", control.encode(orders))


async def a_pass_went_by(scene: Scene, logs: list[EventDict], name: str) -> None:
    """Wait until the daemon has looked at everything once more: it ends a pass with a look at edited files."""
    (scene.repository.tree / name).write_text("x: 1\n")
    await told(logs, files=f"config/mordomo/{name}")
    (scene.repository.tree / name).unlink()


# promise 3
async def test_an_older_clone_neither_applies_nor_leads(scene: Scene, tmp_path: Path) -> None:
    older = cloned(scene.repository, tmp_path / "older")
    newest = scene.repository.commit({"brain.yaml": "model: newer\n"})
    async with scene.node() as parts:
        await apply_once(parts)
    before, lease = scene.snapshot(), scene.live.all()[".syncd/lease"]
    with capture_logs() as logs:
        async with scene.daemon("b", repository=older):
            await told(logs, guard="unknown-history")
            assert scene.snapshot() == before
            assert scene.live.all()[".syncd/lease"] == lease
            older.git("pull", "-q", "--ff-only")
            await told(logs, event="in sync", commit=newest[:7])
    await scene.demand_applied(newest)


async def test_a_leader_whose_clone_went_back_lets_a_newer_one_lead(scene: Scene, tmp_path: Path) -> None:
    first = scene.repository.git("rev-parse", "HEAD")
    second = scene.repository.commit({"brain.yaml": "model: second\n"})
    other = cloned(scene.repository, tmp_path / "other")
    with capture_logs() as logs:
        async with scene.daemon("a"):
            await scene.until_applied(second)
            scene.repository.git("reset", "-q", "--hard", first)
            await told(logs, guard="behind")
            async with scene.daemon("b", repository=other):
                third = other.commit({"brain.yaml": "model: third\n"})
                await scene.until_applied(third)
    assert scene.live.values()["brain/model"] == b"third"


# promise 6
async def test_rewritten_history_waits_for_its_approval(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            before = scene.snapshot()
            scene.repository.write({"brain.yaml": "model: rewritten\n"})
            scene.repository.git("commit", "-qa", "--amend", "-m", "Another start")
            rewritten = scene.repository.git("rev-parse", "HEAD")
            hint = (await told(logs, event="nothing was changed; a person must decide"))["hint"]
            await told(logs, guard="rewritten")
            assert scene.snapshot() == before
            approve(scene, hint)
            await scene.until_applied(rewritten)
    assert scene.live.values()["brain/model"] == b"rewritten"


# promise 10
async def test_paused_means_no_writes(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            scene.live.put(".syncd/control", control.encode(Control(pause=Pause("Ana", 1))))
            await told(logs, event="paused: nothing is written")
            before = scene.snapshot()
            commit = scene.repository.commit({"brain.yaml": "model: later\n"})
            await a_pass_went_by(scene, logs, "edited.yaml")
            assert scene.snapshot() == before
            scene.live.delete(".syncd/control")
            await scene.until_applied(commit)


@pytest.mark.parametrize("rubbish", [b"rubbish", b"", b'{"format":2}', b'{"format":1,"pause":"yes"}'])
async def test_orders_that_cannot_be_read_mean_no_writes(scene: Scene, rubbish: bytes) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            scene.live.put(".syncd/control", rubbish)
            await told(logs, log_level="error")
            before = scene.snapshot()
            commit = scene.repository.commit({"brain.yaml": "model: later\n"})
            await a_pass_went_by(scene, logs, "edited.yaml")
            assert scene.snapshot() == before
            scene.live.delete(".syncd/control")
            await scene.until_applied(commit)


@pytest.mark.parametrize("rubbish", [b"rubbish", b"", b'{"format":2}', b'{"format":1}'])
async def test_a_record_that_cannot_be_read_stops_everything_until_it_is_mended(scene: Scene, rubbish: bytes) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            good = scene.live.all()[".syncd/revision"].value
            scene.live.put(".syncd/revision", rubbish)
            line = await told(logs, log_level="error")
            assert line["hint"]
            before = scene.snapshot()
            commit = scene.repository.commit({"brain.yaml": "model: later\n"})
            await a_pass_went_by(scene, logs, "edited.yaml")
            assert scene.snapshot() == before
            scene.live.put(".syncd/revision", good)
            await scene.until_applied(commit)
    await scene.demand_applied(commit)


def lose_record_and_leave(scene: Scene, key: str, value: str) -> None:
    """Delete the record and write a marked key at once: one after the other, the key is gone before the record is."""
    prefix, encoded = scene.live.prefix, base64.b64encode(value.encode()).decode()
    operations = [
        {"KV": {"Verb": "delete", "Key": f"{prefix}/.syncd/revision"}},
        {"KV": {"Verb": "set", "Key": f"{prefix}/{key}", "Value": encoded, "Flags": scene.mark}},
    ]
    scene.live.agent.json("PUT", "/v1/txn", operations)


async def test_a_lost_record_is_rebuilt_and_deletes_wait(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            first = scene.repository.git("rev-parse", "HEAD")
            await scene.until_applied(first)
            lose_record_and_leave(scene, "left/behind", "marked, in no commit")
            await told(logs, event="deletes wait for an approval")
            await scene.until_applied(first)
            second = scene.repository.commit({"brain.yaml": "model: second\n", "new.yaml": "k: v\n"})
            await scene.until_applied(second)
            assert scene.live.values()["left/behind"]
            logs.clear()
            third = scene.repository.commit({"tts.yaml": None})
            await scene.until_applied(third)  # what git itself takes away goes
            assert "tts/voice" not in scene.live.values()
            assert scene.live.values()["left/behind"]
            await told(logs, event="deletes wait for an approval")

            async def is_gone() -> bool:
                # The newest hint: one of the commit before may still have come after the log was cleared.
                hints = [line["hint"] for line in logs if line["event"] == "deletes wait for an approval"]
                approve(scene, hints[-1])
                return "left/behind" not in scene.live.values()

            await until(is_gone, "what was approved is not deleted")
    await scene.demand_applied(third)


async def test_an_order_of_approval_lifts_no_other_plan(scene: Scene) -> None:
    """A mass delete is approved, and then another commit would delete still more."""
    many = "".join(f"k{number}: v\n" for number in range(60))
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.commit({"many.yaml": many, "more.yaml": many}))
            scene.repository.commit({"many.yaml": None})
            hint = (await told(logs, event="nothing was changed; a person must decide"))["hint"]
            before = scene.snapshot()
            logs.clear()
            last = scene.repository.commit({"more.yaml": None})
            await told(logs, event="nothing was changed; a person must decide")
            logs.clear()
            approve(scene, hint)
            await a_pass_went_by(scene, logs, "edited.yaml")
            after = {key: entry for key, entry in scene.snapshot().items() if key != ".syncd/control"}
            assert after == before
            scene.repository.git("reset", "-q", "--hard", "HEAD~1")
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            assert last != scene.live.applied()
