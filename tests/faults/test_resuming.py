"""What was begun is finished, what was approved stays approved, and nothing else slips through with it."""

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core.control import Approval, Control
from syncd.core.errors import Kind, SyncdError
from syncd.core.record import Applied, Record, encode
from syncd.daemon.outcome import Outcome
from syncd.daemon.reconciler import Reconciler
from syncd.wiring.parts import Parts
from tests.support.node import apply_once
from tests.support.proxy import Proxy, proxy_to, request_to, reset
from tests.support.scene import Scene
from tests.support.waiting import until

TRANSACTION = request_to("PUT", "/v1/txn")


def numbered(count: int, value: str = "v") -> str:
    return "".join(f"k{number}: {value}\n" for number in range(count))


def approving(plan_hash: str) -> Control:
    return Control(approval=Approval(plan_hash, "Ana", 2**37))


def record_of(scene: Scene) -> Record:
    found = scene.live.record()
    assert found is not None
    return found


def applied_of(scene: Scene) -> Applied:
    found = record_of(scene).applied
    assert found is not None
    return found


async def die_at(parts: Parts, proxy: Proxy, batch: int, control: Control | None = None) -> None:
    """Apply the tip until nothing goes through any more."""
    proxy.when(TRANSACTION, reset, skip=batch, times=None)
    with pytest.raises(SyncdError) as caught:
        await apply_once(parts, control)
    assert caught.value.kind is Kind.RETRY
    proxy.clear()


async def persist(reconciler: Reconciler, parts: Parts, control: Control) -> Outcome:
    """Reconcile again after what passes."""
    tip = await parts.source.read()
    for _ in range(5):
        try:
            return await reconciler.reconcile(tip, control)
        except SyncdError as error:
            if error.kind is not Kind.RETRY:
                raise
    raise AssertionError("it never ends")


async def test_what_was_begun_is_finished_before_the_tip(scene: Scene) -> None:
    async with scene.node() as parts:
        await apply_once(parts)
    begun = scene.repository.commit({"many.yaml": numbered(150)})
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node(address=proxy.address) as parts:
            await die_at(parts, proxy, 2)
    assert record_of(scene).applying is not None
    tip = scene.repository.commit({"brain.yaml": "model: next\n"})
    async with scene.daemon("b"):
        await scene.until_applied(tip)
    assert applied_of(scene).previous == begun
    await scene.demand_applied(tip)


async def test_the_first_apply_keeps_one_epoch_and_lineage_from_beginning_to_end(scene: Scene) -> None:
    commit = scene.repository.commit({"many.yaml": numbered(150)})
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node(address=proxy.address) as parts:
            await die_at(parts, proxy, 2)
    begun = record_of(scene)
    assert (begun.applied, begun.applying is not None) == (None, True)
    async with scene.daemon():
        await scene.until_applied(commit)
    done = record_of(scene)
    assert (done.epoch, done.lineage) == (begun.epoch, begun.lineage)
    assert done.stamp != begun.stamp


async def test_an_approved_delete_is_finished_without_asking_again(scene: Scene) -> None:
    scene.repository.commit({"many.yaml": numbered(200)})
    async with scene.node() as parts:
        await apply_once(parts)
        commit = scene.repository.commit({"many.yaml": None})
        refused = await apply_once(parts)
    assert refused.result == "refused"
    assert refused.plan is not None
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node(address=proxy.address) as parts:
            await die_at(parts, proxy, 2, approving(refused.plan.hash))
    applying = record_of(scene).applying
    assert applying is not None
    assert (applying.approval, applying.lifted) == (refused.plan.hash, ("mass-delete",))
    async with scene.daemon("b"):
        await scene.until_applied(commit)
    await scene.demand_applied(commit)


@pytest.mark.parametrize("changed", [False, True], ids=["the same plan", "another value to be overwritten"])
async def test_an_approval_outlives_a_lost_answer_but_lets_no_other_plan_through(scene: Scene, changed: bool) -> None:
    """The first contact is approved, its transaction is lost, the record has to be made to keep it out."""
    scene.live.put("brain/model", "a stranger's")
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node(address=proxy.address) as parts:
            refused = await apply_once(parts)
            assert refused.plan is not None
            lease = parts.lease()
            reconciler = parts.reconciler(lease)
            tip = await parts.source.read()
            proxy.when(TRANSACTION, reset)
            with pytest.raises(SyncdError):
                await reconciler.reconcile(tip, approving(refused.plan.hash))
            if changed:
                scene.live.put("brain/model", "another stranger's")
            outcome = await persist(reconciler, parts, approving(refused.plan.hash))
            await lease.resign()
    assert outcome.result == ("refused" if changed else "applied")
    expected = b"another stranger's" if changed else b"qwen2.5:3b"
    assert scene.live.values()["brain/model"] == expected


async def test_healing_the_same_key_twice_is_no_step_of_history(scene: Scene) -> None:
    first = scene.repository.git("rev-parse", "HEAD")
    async with scene.node() as parts:
        await apply_once(parts)
        second = scene.repository.commit({"brain.yaml": "model: second\n"})
        await apply_once(parts)
        lease = parts.lease()
        reconciler, tip = parts.reconciler(lease), await parts.source.read()
        await reconciler.reconcile(tip, Control())
        for _ in range(3):
            scene.live.put("brain/model", "a stranger's")
            reconciler.forget()
            assert (await reconciler.reconcile(tip, Control())).result == "applied"
            assert scene.live.values()["brain/model"] == b"second"
        assert (await reconciler.reconcile(tip, Control())).result == "unchanged"
        await lease.resign()
    assert (applied_of(scene).commit, applied_of(scene).previous) == (second, first)


async def test_a_key_that_left_git_unmarked_stays_and_is_shown(scene: Scene) -> None:
    """A stranger wrote it since: it is theirs now, unless a person says otherwise."""
    async with scene.node() as parts:
        await apply_once(parts)
        scene.live.put("brain/temperature", "a stranger's")
        scene.repository.commit({"brain.yaml": "model: second\n"})
        outcome = await apply_once(parts)
    assert scene.live.values() | {"brain/temperature": b"a stranger's"} == scene.live.values()
    assert outcome.plan is not None
    assert [(change.key, why) for change, why in outcome.plan.withheld] == [("brain/temperature", "orphan")]


async def test_an_orphan_can_still_be_approved_after_later_commits(scene: Scene) -> None:
    """The control record remembers it, though no commit names it any more."""
    async with scene.node() as parts:
        await apply_once(parts)
        scene.live.put("brain/temperature", "a stranger's")
        scene.repository.commit({"brain.yaml": "model: second\n"})
        await apply_once(parts)
        scene.repository.commit({"brain.yaml": "model: third\n"})
        outcome = await apply_once(parts)
        assert outcome.plan is not None
        assert [(change.key, why) for change, why in outcome.plan.withheld] == [("brain/temperature", "orphan")]
        waiting = await apply_once(parts)
        assert waiting.result == "unchanged"
        assert waiting.plan is not None
        await apply_once(parts, approving(waiting.plan.hash))
        assert "brain/temperature" not in scene.live.values()
        assert (await apply_once(parts)).result == "unchanged"


async def test_an_orphan_that_somebody_deleted_is_forgotten(scene: Scene) -> None:
    async with scene.node() as parts:
        await apply_once(parts)
        scene.live.put("brain/temperature", "a stranger's")
        scene.repository.commit({"brain.yaml": "model: second\n"})
        await apply_once(parts)
        scene.live.delete("brain/temperature")
        outcome = await apply_once(parts)
        assert outcome.plan is not None
        assert outcome.plan.withheld == ()
        assert record_of(scene).orphans == ()


# promise 4
async def test_an_invalid_commit_changes_nothing_and_the_last_good_one_stays(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.daemon():
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            before = scene.snapshot()
            scene.repository.commit({"brain.yaml": "model: [1\n", "new.yaml": "k: v\n"})
            await until(lambda: is_told(logs, "the commit is invalid and changes nothing"), "nobody says so")
            assert scene.snapshot() == before
            commit = scene.repository.commit({"brain.yaml": "model: mended\n"})
            await scene.until_applied(commit)
    await scene.demand_applied(commit)
    problem = next(line for line in logs if line["event"] == "invalid")
    assert problem["at"].startswith("config/mordomo/brain.yaml:")


async def test_a_daemon_that_starts_on_an_invalid_commit_waits_for_a_good_one(scene: Scene) -> None:
    scene.repository.commit({"brain.yaml": "model: [1\n"})
    with capture_logs() as logs:
        async with scene.daemon():
            await until(lambda: is_told(logs, "the commit is invalid and changes nothing"), "nobody says so")
            assert scene.snapshot() == {}
            commit = scene.repository.commit({"brain.yaml": "model: mended\n"})
            await scene.until_applied(commit)


async def test_a_store_that_went_back_is_read_in_full(scene: Scene) -> None:
    """Its record has fallen behind what this daemon wrote."""
    async with scene.daemon():
        first = scene.repository.git("rev-parse", "HEAD")
        await scene.until_applied(first)
        older = record_of(scene)
        second = scene.repository.commit({"brain.yaml": "model: second\n"})
        await scene.until_applied(second)
        scene.live.put(".syncd/revision", encode(replace(older, stamp="restored")))
        await scene.until_applied(second)
    await scene.demand_applied(second)


async def is_told(logs: list[EventDict], event: str) -> bool:
    return any(line["event"] == event for line in logs)


# promise 1
async def test_a_source_of_the_same_name_inside_the_prefix_stops_everything(scene: Scene) -> None:
    """Its keys carry the same mark, so they would be taken for litter and deleted."""
    async with scene.node() as parts:
        await apply_once(parts)
        inner = encode(replace(record_of(scene), lineage="another"))
        scene.live.put("inner/.syncd/revision", inner)
        scene.live.put("inner/key", "theirs", flags=scene.mark)
        scene.repository.commit({"brain.yaml": "model: second\n"})
        with pytest.raises(SyncdError, match="stands inside this prefix"):
            await apply_once(parts)
        scene.live.put("inner/.syncd/revision", encode(replace(record_of(scene), mark=7)))
        assert (await apply_once(parts)).result == "applied"


# promise 8
async def test_a_session_that_a_dead_process_left_puts_everything_in_doubt(scene: Scene) -> None:
    """What it sent may still be under way, with the same session and at the same index of the record."""
    async with scene.node() as parts:
        await apply_once(parts)
        dead = parts.lease()
        assert await dead.campaign()
        before = scene.live.all()[".syncd/revision"].index
        assert (await apply_once(parts)).result == "unchanged"
        assert scene.live.all()[".syncd/revision"].index > before
