"""Faults 9 and 10: answers that break off, trickle or refuse."""

import pytest

from tests.support.node import apply_once
from tests.support.proxy import (
    Exchange,
    Fault,
    answer,
    anything,
    cut,
    drip,
    drop_reply,
    passing,
    proxy_to,
    request_to,
    reset,
    storm,
)
from tests.support.scene import Scene

MANY = {f"many{number}.yaml": "".join(f"k{key}: v\n" for key in range(50)) for number in range(5)}
FOREIGN = {"foreign/a": b"1", "many1/k50": b"ours in nothing but its place"}


async def prepared(scene: Scene) -> None:
    """Many keys of a first commit, and strangers' keys."""
    scene.repository.commit(MANY)
    async with scene.node() as parts:
        await apply_once(parts)
    for key, value in FOREIGN.items():
        scene.live.put(key, value)


# promise 5
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(cut(9000), id="reset in the middle of the list"),
        pytest.param(cut(9000, reset=False), id="closed in the middle of the list"),
        pytest.param(cut(0), id="reset before the list"),
        pytest.param(reset, id="reset before the answer"),
        pytest.param(drip(every=0.5), id="a byte now and then"),
    ],
)
async def test_a_list_that_did_not_come_to_its_end_is_not_believed(scene: Scene, fault: Fault) -> None:
    await prepared(scene)
    before, found = scene.snapshot(), list[dict[str, object]]()
    commit = scene.repository.commit({"brain.yaml": None})
    a_list = request_to("GET", f"/v1/kv/{scene.live.prefix}/", query="recurse")
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(a_list, fault, times=2)
        proxy.when(a_list, noting(scene, found))
        async with scene.daemon(address=proxy.address, patience=0.1):
            await scene.until_applied(commit)
    assert found == [before], "something was written before a whole list was read"
    await scene.demand_applied(commit, FOREIGN)


def noting(scene: Scene, found: list[dict[str, object]]) -> Fault:
    """Answer as usual, and note what stood in the store until then."""

    async def fault(exchange: Exchange) -> None:
        found.append(scene.snapshot())
        await passing(exchange)

    return fault


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_refusals_ends_at_the_commit(scene: Scene, seed: int) -> None:
    await prepared(scene)
    created = {key: index for key, index in scene.live.created().items() if key.startswith(("many", "foreign"))}
    faults = (
        answer(429, b"Your IP is issuing too many concurrent connections"),
        answer(500, b"rpc error making call: EOF"),
        answer(500, b"No cluster leader"),
        answer(503, b"rate limit exceeded, try again later or against a different server"),
        drop_reply,
        reset,
        cut(20),
    )
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(anything, storm(seed, *faults, share=0.3), times=None)
        async with scene.daemon(address=proxy.address, patience=1.0):
            await scene.until_applied(scene.repository.commit({"brain.yaml": f"model: first {seed}\n"}))
            await scene.until_applied(scene.repository.commit({"new.yaml": MANY["many0.yaml"]}))
            commit = scene.repository.commit({"brain.yaml": None, "tts.yaml": f"voice: {seed}\n"})
            await scene.until_applied(commit)
    await scene.demand_applied(commit, FOREIGN)
    assert {key: scene.live.created()[key] for key in created} == created, "a key was gone for a while"
