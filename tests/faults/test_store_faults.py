"""What the store goes through is told once, or not at all where nothing changed, and never wrongly."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd.core import shards
from syncd.core.control import Control, Pause, encode
from syncd.daemon import observer
from tests.support.consul import ConsulAgent, leader_of, start_agent, three_servers
from tests.support.hook import Hook
from tests.support.live import Live
from tests.support.proxy import Exchange, Fault, Predicate, Reply, Request, cut, passing, proxy_to, request_to, rewrite
from tests.support.repository import seed_repository
from tests.support.scene import Scene
from tests.support.waiting import until

SEED = {
    "brain/model": "qwen2.5:3b",
    "brain/temperature": "0.7",
    "tts/voice": "pt_BR-faber-medium",
    "wake_word/sensitivity": "0.7",
}
MANY = {f"many{file}.yaml": "".join(f"key_{n:02}: v{n}\n" for n in range(40)) for file in range(5)}


@pytest.fixture
def own_scene(tmp_path: Path) -> Iterator[Scene]:
    """A scene on an agent of its own, which may be killed, frozen and restored."""
    with start_agent(data_dir=tmp_path / "consul") as agent:
        yield Scene(seed_repository(tmp_path / "repository"), Live(agent, "config/mordomo"), tmp_path / "state")


@asynccontextmanager
async def telling(scene: Scene, there: Hook, *, address: str = "", ttl: str = "15s") -> AsyncIterator[None]:
    """Run a daemon that tells that subscriber everything."""
    scene.home.mkdir(exist_ok=True)
    place, subscribers = address or scene.live.agent.address, [there.webhook("all", scene.home)]
    async with scene.daemon(address=place, patience=5.0, subscribers=subscribers, store__lease_ttl=ttl):
        yield


async def until_known(there: Hook, **wanted: str | None) -> None:
    """Wait until the subscriber knows values; underscores stand for slashes, None is a key that is gone."""
    keys = {key.replace("_", "/", 1): value for key, value in wanted.items()}

    async def is_known() -> bool:
        assert not there.faults
        return bool(there.tries) and all(there.replica.keys.get(key) == value for key, value in keys.items())

    await until(is_known, f"the subscriber never knows {keys}")


def told(there: Hook) -> list[dict[str, str | None]]:
    """What came after the full state, each message once."""
    every = {got.id: got.values for got in there.tries if got.kind != "state.reset"}
    return list(every.values())


# -- fault 3, 4


# promise 15
async def test_a_store_that_is_killed_and_comes_back_is_nothing_to_tell(own_scene: Scene, there: Hook) -> None:
    scene, agent = own_scene, own_scene.live.agent
    async with telling(scene, there):
        await until_known(there, brain_model="qwen2.5:3b")
        agent.kill()
        scene.repository.commit({"tts.yaml": "voice: other\n"})
        agent.restart()
        scene.live.put("theirs/key", "1")
        await until_known(there, tts_voice="other", theirs_key="1")
    assert sorted(told(there), key=str) == [{"theirs/key": "1"}, {"tts/voice": "other"}]


# promise 15
async def test_while_the_store_is_frozen_nothing_is_told_and_then_what_changed(own_scene: Scene, there: Hook) -> None:
    scene, agent = own_scene, own_scene.live.agent
    with capture_logs() as logs:
        async with telling(scene, there, ttl="10s"):
            await until_known(there, brain_model="qwen2.5:3b")
            agent.freeze()
            scene.repository.commit({"tts.yaml": "voice: other\n"})

            async def is_noticed() -> bool:
                return any("could not be renewed" in line["event"] for line in logs)

            await until(is_noticed, "nobody notices")
            assert len(there.tries) == 1
            agent.thaw()
            await until_known(there, tts_voice="other")
    assert told(there) == [{"tts/voice": "other"}]


# -- fault 5, 6


# promise 15
async def test_a_cluster_that_loses_its_leader_and_its_quorum_tells_each_change_once(
    tmp_path: Path, there: Hook
) -> None:
    with three_servers(tmp_path, hcl="performance { raft_multiplier = 1 }") as servers:
        leader = leader_of(servers)
        near, other = (server for server in servers if server is not leader)
        scene = Scene(seed_repository(tmp_path / "repository"), Live(near, "config/mordomo"), tmp_path / "state")
        async with telling(scene, there):
            await until_known(there, brain_model="qwen2.5:3b")
            leader.kill()
            scene.repository.commit({"tts.yaml": "voice: without a leader\n"})
            await until_known(there, tts_voice="without a leader")
            other.kill()
            scene.repository.commit({"tts.yaml": "voice: without a quorum\n"})
            other.launch()
            await until_known(there, tts_voice="without a quorum")
        assert told(there) == [{"tts/voice": "without a leader"}, {"tts/voice": "without a quorum"}]
        assert there.replica.keys == {key: value.decode() for key, value in scene.live.values().items()}


# -- fault 9, 14


def with_index(index: str) -> Fault:
    """Answer with another index, "" with none."""
    line = f"X-Consul-Index: {index}\r\n".encode() if index else b""

    def change(reply: Reply) -> Reply:
        return replace(reply, head=re.sub(rb"X-Consul-Index: \d+\r\n", line, reply.head, flags=re.IGNORECASE))

    return rewrite(change)


def is_watch(scene: Scene) -> Predicate:
    def matches(request: Request) -> bool:
        watch = request.path.startswith(f"/v1/kv/{scene.live.prefix}/") and ".syncd" not in request.path
        return request.method == "GET" and watch and "index=" in request.query

    return matches


FAULTS = {
    "cut in the body": cut(20),
    "ended in the body": cut(20, reset=False),
    "index 0": with_index("0"),
    "no index": with_index(""),
    "lower index": with_index("1"),
}


# promise 15
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_watch_that_is_answered_badly_loses_nothing_and_tells_nothing_twice(
    scene: Scene, there: Hook, fault: str
) -> None:
    with proxy_to(scene.live.agent.address) as proxy:
        async with telling(scene, there, address=proxy.address):
            await until_known(there, brain_model="qwen2.5:3b")
            for number in ("1", "2", "3"):
                proxy.when(is_watch(scene), FAULTS[fault])
                scene.live.put("theirs/key", number)
                await until_known(there, theirs_key=number)
            proxy.when(is_watch(scene), FAULTS[fault])
            scene.live.delete("theirs/key")
            await until_known(there, theirs_key=None)
    assert told(there) == [{"theirs/key": number} for number in ("1", "2", "3", None)]


# -- fault 13


def snapshot(agent: ConsulAgent) -> bytes:
    status, _, archive = agent.request("GET", "/v1/snapshot")
    assert status == 200
    return archive


def restore(agent: ConsulAgent, archive: bytes) -> None:
    assert agent.request("PUT", "/v1/snapshot", archive)[0] == 200


# promise 15
@pytest.mark.parametrize("writes", [0, 1], ids=["and nothing else", "and a write before anybody looks"])
@pytest.mark.parametrize("commits", [0, 1], ids=["of the same revision", "of the revision before"])
async def test_an_older_snapshot_is_told_as_a_new_epoch(
    own_scene: Scene, there: Hook, commits: int, writes: int
) -> None:
    scene, agent = own_scene, own_scene.live.agent
    async with telling(scene, there):
        scene.live.put("theirs/stays", "1")
        scene.live.put("theirs/goes", "1")
        await until_known(there, theirs_stays="1", theirs_goes="1")
        archive, epoch = snapshot(agent), there.replica.epoch
        for number in range(commits):
            scene.repository.commit({"tts.yaml": f"voice: {number}\n"})
            await until_known(there, tts_voice=f"{number}")
        scene.live.put("theirs/stays", "2")
        scene.live.delete("theirs/goes")
        scene.live.put("theirs/new", "1")
        await until_known(there, theirs_stays="2", theirs_goes=None, theirs_new="1")
        restore(agent, archive)
        for number in range(writes):
            scene.live.put("theirs/after", f"{number}")
        await until_known(there, theirs_stays="1", theirs_goes="1", theirs_new=None)
        if writes:
            await until_known(there, theirs_after="0")
        assert there.replica.epoch != epoch
        if commits:
            await until_known(there, tts_voice="0")


# promise 15
async def test_an_older_snapshot_is_told_anew_also_while_syncd_is_paused(own_scene: Scene, there: Hook) -> None:
    scene, agent = own_scene, own_scene.live.agent
    async with telling(scene, there):
        await until_known(there, brain_model="qwen2.5:3b")
        scene.live.put(".syncd/control", encode(Control(pause=Pause("Ana", 0))))
        scene.live.put("theirs/stays", "1")
        await until_known(there, theirs_stays="1")
        archive = snapshot(agent)
        scene.live.put("theirs/stays", "2")
        scene.live.put("theirs/new", "1")
        await until_known(there, theirs_stays="2", theirs_new="1")
        restore(agent, archive)
        await until_known(there, theirs_stays="1", theirs_new=None)
        assert (there.tries[-1].kind, there.replica.resets) == ("state.reset", 2)


# promise 15
async def test_a_restore_that_revives_a_dead_holder_is_told_as_a_new_epoch_by_who_leads_next(
    own_scene: Scene, there: Hook
) -> None:
    scene, agent = own_scene, own_scene.live.agent
    async with telling(scene, there):
        await until_known(there, brain_model="qwen2.5:3b")
        archive, epoch = snapshot(agent), there.replica.epoch
        dead = scene.live.all()[".syncd/lease"].session
        agent.destroy_session(dead)

        async def leads_anew() -> bool:
            return scene.live.all()[".syncd/lease"].session not in ("", dead)

        await until(leads_anew, "a new session")
        await scene.until_applied(scene.repository.commit({"tts.yaml": "voice: other\n"}))
        await until_known(there, tts_voice="other")
        restore(agent, archive)
        assert scene.live.all()[".syncd/lease"].session == dead
        agent.destroy_session(dead)  # as its time to live would

        async def is_told() -> bool:
            return there.replica.epoch != epoch and there.replica.keys.get("tts/voice") == "other"

        await until(is_told, "the new epoch is not told")


# -- fault 15, 16


# promise 15
async def test_a_rival_who_writes_all_the_time_is_told_of_at_most_once_for_each_value_and_at_the_last(
    scene: Scene, there: Hook
) -> None:
    async with telling(scene, there):
        await until_known(there, brain_model="qwen2.5:3b")
        for number in range(200):
            scene.live.put("brain/model", f"rival {number}")
            scene.live.put("theirs/key", f"{number}")
            await asyncio.sleep(0)  # the daemon runs in this process
        await until_known(there, brain_model="qwen2.5:3b", theirs_key="199")

        async def is_healed() -> bool:
            return scene.live.values()["brain/model"] == b"qwen2.5:3b"

        await until(is_healed, "the rival's value stays")
        scene.live.put("theirs/end", "1")
        await until_known(there, theirs_end="1", brain_model="qwen2.5:3b")
    assert len(told(there)) < 200, "bursts are told as one"


# promise 15
async def test_what_a_rival_wrote_is_told_while_it_stands(scene: Scene, there: Hook) -> None:
    async with telling(scene, there):
        await until_known(there, brain_model="qwen2.5:3b")
        number = 0

        def is_told() -> bool:
            return {"brain/model": f"rival {number}"} in told(there)

        async def is_settled() -> bool:
            return scene.live.values()["brain/model"] == b"qwen2.5:3b" or is_told()

        while not is_told():  # a few are healed at once, and nothing to tell
            number += 1
            assert number < 20
            scene.live.put("brain/model", f"rival {number}")
            await until(is_settled, "it is neither healed nor told")
        await until_known(there, brain_model="qwen2.5:3b")
        assert scene.live.values()["brain/model"] == b"qwen2.5:3b"


@contextmanager
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "WHOLE_UP_TO", 10)
        patch.setattr(shards, "FINEST", 1)
        patch.setattr(observer, "SWEEP_SECONDS", 0.05)
        yield


class Parked:
    """Counts the blocking queries that are under way."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def count(self, exchange: Exchange) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await passing(exchange)
        finally:
            self.now -= 1


# promise 15
async def test_however_many_folders_there_are_at_most_64_watches_are_parked(scene: Scene, there: Hook) -> None:
    folders = {f"folder{number:03}/file.yaml": f"key: {number}\n" for number in range(150)}
    parked = Parked()
    with small_parts(), proxy_to(scene.live.agent.address) as proxy:
        proxy.when(request_to("GET", "/v1/kv/", query="wait="), parked.count, times=None)
        async with telling(scene, there, address=proxy.address):
            await scene.until_applied(scene.repository.commit(folders))
            await until_known(there, **{"folder149/file/key": "149"})
            for number in range(0, 150, 30):
                scene.live.put(f"folder{number:03}/beside", "1")
                await until_known(there, **{f"folder{number:03}/beside": "1"})
    assert 10 < parked.most <= 64
