"""Watches over parts of a larger tree; a store that goes back in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core import shards
from syncd.daemon import observer, watch
from tests.support.consul import ConsulAgent, start_agent
from tests.support.live import Live
from tests.support.proxy import Proxy, proxy_to
from tests.support.repository import seed_repository
from tests.support.scene import Scene
from tests.support.waiting import until

MANY = {f"many{file}.yaml": "".join(f"key_{n:02}: v{n}\n" for n in range(40)) for file in range(5)}


@pytest.fixture(params=["light", "heavy"])
def small_parts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cut as soon as there are ten keys, and look between the parts all the time; heavy: into few parts to search."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "heavy":
            patch.setattr(observer, "CUT_INTO", 6)
            patch.setattr(watch, "HEAVY", 20)
        patch.setattr(shards, "WHOLE_UP_TO", 10)
        patch.setattr(shards, "FINEST", 4)
        patch.setattr(observer, "SWEEP_SECONDS", 0.05)
        yield


async def until_values(scene: Scene, wanted: dict[str, bytes]) -> None:
    async def are_there() -> bool:
        return scene.live.values() == wanted

    await until(are_there, "the store stays as it is")


def watched(proxy: Proxy) -> set[str]:
    return {request.path for request in proxy.seen("GET") if "index=" in request.query}


async def parts_watched(proxy: Proxy) -> bool:
    return len(watched(proxy)) > 4 + 1  # one more is on syncd's own keys


# promise 14
@pytest.mark.usefixtures("small_parts")
async def test_every_key_of_a_cut_tree_is_watched_and_what_comes_up_between_is_found(scene: Scene) -> None:
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.daemon(address=proxy.address):
            await scene.until_applied(scene.repository.commit(MANY))
            await until(lambda: parts_watched(proxy), "the tree is not cut")
            assert len(watched(proxy)) <= 64
    async with scene.daemon("b"):
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
        before = scene.live.values()
        for key in ("many0/key_00", "many4/key_39", "many2/key_17", "brain/model"):
            scene.live.put(key, "by hand")
            await until_values(scene, before)
            scene.live.delete(key)
            await until_values(scene, before)
        scene.live.put("between/the_parts", "marked, in no commit", flags=scene.mark)
        await until_values(scene, before)
        scene.live.put("brain/.hidden", "marked, in no commit", flags=scene.mark)
        await until_values(scene, before)
        scene.live.agent.delete_tree(f"{scene.live.prefix}/many3/")
        await until_values(scene, before)
        await scene.until_applied(scene.repository.commit({"another.yaml": "key: v\n"}))
        scene.live.put("another/key", "by hand")
        await until_values(scene, {**before, "another/key": b"v"})


@pytest.mark.usefixtures("small_parts")
async def test_many_keys_of_a_stranger_are_no_business_of_ours(scene: Scene) -> None:
    async with scene.daemon():
        await scene.until_applied(scene.repository.commit(MANY))
        before = scene.live.values()
        theirs = {f"theirs/{number}": b"v" for number in range(observer.FEW_UNKNOWN + 50)}
        for key, value in theirs.items():
            scene.live.put(key, value)
        scene.live.put("many1/key_01", "by hand")
        await until_values(scene, {**before, **theirs})


def snapshot(agent: ConsulAgent) -> bytes:
    status, _, archive = agent.request("GET", "/v1/snapshot")
    assert status == 200
    return archive


def restore(agent: ConsulAgent, archive: bytes) -> None:
    assert agent.request("PUT", "/v1/snapshot", archive)[0] == 200


@pytest.fixture
def own_scene(tmp_path: Path) -> Iterator[Scene]:
    """A scene on an agent of its own, which may be restored."""
    with start_agent(data_dir=tmp_path / "consul") as agent:
        yield Scene(seed_repository(tmp_path / "repository"), Live(agent, "config/mordomo"), tmp_path)


@pytest.mark.parametrize("writes", [0, 1])
async def test_a_restored_older_snapshot_is_noticed_and_undone(own_scene: Scene, writes: int) -> None:
    scene, agent = own_scene, own_scene.live.agent
    async with scene.daemon():
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
        agent.put("elsewhere", b"1")
        archive = snapshot(agent)
        last = scene.repository.commit({"brain.yaml": "model: next\n", "tts.yaml": None, "new.yaml": "key: v\n"})
        await scene.until_applied(last)
        before = scene.live.record()
        restore(agent, archive)
        for number in range(writes):
            scene.live.put("brain/model", f"right after {number}")
        await scene.until_applied(last)
        await until_values(scene, {"brain/model": b"next", "new/key": b"v", "wake_word/sensitivity": b"0.7"})
    await scene.demand_applied(last)
    after = scene.live.record()
    assert before is not None
    assert after is not None
    assert before.epoch != after.epoch, "whichever watch noticed it"
