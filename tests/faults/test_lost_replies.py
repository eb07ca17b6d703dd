"""Faults 7 and 12b: a reply lost after the commit, and a batch that lands too late."""

import pytest
from structlog.testing import capture_logs

from syncd.core.live import Entry
from tests.support.node import apply_once
from tests.support.proxy import Exchange, Fault, Gate, Predicate, hung, proxy_to, request_to
from tests.support.scene import Scene

SMALL = {"brain.yaml": "model: new\n", "tts.yaml": None}
MANY = {f"many{number}.yaml": "".join(f"k{key}: v\n" for key in range(50)) for number in range(5)}
LARGE = {"large.txt": "x" * 420_000}

TRANSACTION = request_to("PUT", "/v1/txn")


def losing(scene: Scene, landed: dict[str, Entry]) -> Fault:
    """Let the store do it, note what stands then, and reset the connection."""

    async def fault(exchange: Exchange) -> None:
        await exchange.forward()
        landed.update(scene.live.entries())
        exchange.reset()

    return fault


# promise 8
@pytest.mark.parametrize(
    ("files", "predicate", "skip"),
    [
        pytest.param(SMALL, TRANSACTION, 0, id="the only transaction"),
        pytest.param(MANY, TRANSACTION, 0, id="the record moves to applying"),
        pytest.param(MANY, TRANSACTION, 2, id="a batch in the middle"),
        pytest.param(MANY, TRANSACTION, 5, id="the last batch"),
        pytest.param(MANY, TRANSACTION, 6, id="the record moves to applied"),
        pytest.param(LARGE, request_to("PUT", "/v1/kv/", query="cas="), 0, id="a value that no transaction holds"),
        pytest.param(SMALL, request_to("PUT", "/v1/kv/", query="acquire="), 0, id="the lock"),
        pytest.param(SMALL, request_to("PUT", "/v1/session/create"), 0, id="the session"),
    ],
)
async def test_what_landed_unheard_is_read_back_and_not_repeated(
    scene: Scene, files: dict[str, str | None], predicate: Predicate, skip: int
) -> None:
    async with scene.node() as parts:
        await apply_once(parts)
    commit = scene.repository.commit(files)
    landed: dict[str, Entry] = {}
    with proxy_to(scene.live.agent.address) as proxy, capture_logs() as logs:
        proxy.when(predicate, losing(scene, landed), skip=skip)
        async with scene.daemon(address=proxy.address):
            await scene.until_applied(commit)
    await scene.demand_applied(commit)
    found = scene.live.entries()
    assert landed, "the fault never struck"
    right = {key for key, entry in landed.items() if key in found and entry.value == found[key].value}
    assert {key: found[key].index for key in right} == {key: landed[key].index for key in right}
    assert not [line for line in logs if "the store has moved" in line["event"]], "reported as somebody else's write"


# promise 8
@pytest.mark.parametrize("files", [SMALL, MANY], ids=["the only transaction", "a batch of many"])
async def test_a_batch_that_hung_on_the_wire_is_refused_after_a_newer_commit(
    scene: Scene, files: dict[str, str | None]
) -> None:
    """Its session still holds the lease: only the record's index keeps it out."""
    async with scene.node() as parts:
        await apply_once(parts)
    scene.repository.commit(files)
    gate = Gate()
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(TRANSACTION, hung(gate), skip=0 if files is SMALL else 2)
        async with scene.daemon(address=proxy.address):
            await gate.arrived()
            commit = scene.repository.commit({"brain.yaml": "model: newest\n"})
            await scene.until_applied(commit)
            before = scene.snapshot()
            gate.release()
            assert (await gate.outcome()).status == 409
    assert scene.snapshot() == before
    await scene.demand_applied(commit)
