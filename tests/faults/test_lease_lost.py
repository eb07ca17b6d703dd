"""Faults 2 and 12: the lease goes, or its key is tampered with, in the middle of an apply."""

import signal
from collections.abc import Callable

import pytest

from syncd.core.lease import holder_of
from tests.support.node import apply_once
from tests.support.process import running
from tests.support.proxy import Exchange, Fault, Gate, held, proxy_to, request_to
from tests.support.repository import TREE
from tests.support.scene import Scene
from tests.support.waiting import until

MANY = {f"many{number}.yaml": "".join(f"k{key}: v\n" for key in range(50)) for number in range(5)}
TRANSACTION = request_to("PUT", "/v1/txn")


def destroy_session(scene: Scene) -> None:
    scene.live.agent.destroy_session(scene.live.all()[".syncd/lease"].session)


def delete_key(scene: Scene) -> None:
    scene.live.delete(".syncd/lease")


def overwrite_key(scene: Scene) -> None:
    scene.live.put(".syncd/lease", "rubbish")


def noting(statuses: list[int], at: int, action: Callable[[], None]) -> Fault:
    """Pass everything on and note what the store says; act right before it gets request number ``at``."""

    async def fault(exchange: Exchange) -> None:
        exchange.outlive = True  # another batch may be refused first, and its client give up on this one
        number = len(statuses)
        statuses.append(0)
        if number == at:
            action()
        reply = await exchange.forward()
        statuses[number] = reply.status
        await exchange.reply(reply)

    return fault


# promise 2
@pytest.mark.parametrize("at", [0, 2, 6], ids=["the first batch", "a batch in the middle", "the last batch"])
@pytest.mark.parametrize(
    ("tamper", "status"), [(destroy_session, 409), (delete_key, 409), (overwrite_key, 200)], ids=lambda it: str(it)[:18]
)
async def test_without_its_lock_a_batch_is_refused_and_the_rest_done_under_a_new_one(
    scene: Scene, tamper: Callable[[Scene], None], status: int, at: int
) -> None:
    async with scene.node() as parts:
        await apply_once(parts)
    statuses: list[int] = []
    with proxy_to(scene.live.agent.address) as proxy:
        commit = scene.repository.commit(MANY)
        proxy.when(TRANSACTION, noting(statuses, at, lambda: tamper(scene)), times=None)
        async with scene.daemon(address=proxy.address):
            await scene.until_applied(commit)
            await until(lambda: names_a_holder(scene), "the lease is nobody's")
    assert statuses[at] == status
    await scene.demand_applied(commit)
    created = scene.live.created()
    entries = scene.live.entries()
    assert {key: entries[key].index for key in created if key.startswith("many")} == {
        key: index for key, index in created.items() if key.startswith("many")
    }, "a key was written twice"


async def names_a_holder(scene: Scene) -> bool:
    found = scene.live.all().get(".syncd/lease")
    return found is not None and found.session != "" and "(pid " in holder_of(found.value)


# promise 2
async def test_a_leader_that_was_frozen_too_long_is_refused_and_steps_down(scene: Scene) -> None:
    """Its session is ended by hand here, as its time to live would."""
    async with scene.node() as parts:
        await apply_once(parts)
    gate = Gate()
    older = scene.repository.commit(MANY)
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(TRANSACTION, held(gate), skip=2)
        words = ("--path", TREE, "--prefix", scene.live.prefix, "--address", proxy.address)
        with running("run", *words, cwd=scene.repository.folder, home=scene.home) as frozen:
            frozen.wait_for(gate._arrived.done, "its batch is not on the wire")
            frozen.process.send_signal(signal.SIGSTOP)
            destroy_session(scene)
            newer = scene.repository.commit({"tts.yaml": None, "brain.yaml": "model: newer\n"})
            async with scene.daemon("b"):
                await scene.until_applied(newer)
                before = scene.snapshot()
                gate.release()
                frozen.process.send_signal(signal.SIGCONT)
                assert (await gate.outcome()).status == 409
                frozen.wait_for_output("standing by")
                assert scene.snapshot() == before
            record = scene.live.record()
            assert record is not None
            assert record.applied is not None
            assert (record.applied.commit, record.applied.previous) == (newer, older)
    await scene.demand_applied(newer)


async def test_daemons_that_start_at_once_write_each_key_once(scene: Scene) -> None:
    commit = scene.repository.commit(MANY)
    async with scene.daemon("a"), scene.daemon("b"), scene.daemon("c"):
        await scene.until_applied(commit)
    await scene.demand_applied(commit)
    assert {key: entry.index for key, entry in scene.live.entries().items()} == scene.live.created()


async def test_a_standby_takes_over_at_once_when_the_leader_stops(scene: Scene) -> None:
    async with scene.daemon("a"):
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
        async with scene.daemon("b", store__lease_ttl="24h"):
            holder = scene.live.all()[".syncd/lease"].session
            assert holder
    async with scene.daemon("c", store__lease_ttl="24h"):
        commit = scene.repository.commit({"brain.yaml": "model: next\n"})
        await scene.until_applied(commit)
