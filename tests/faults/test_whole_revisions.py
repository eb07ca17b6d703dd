"""No subscriber is told half a revision, nor a mixture of two: not by a node that stands by, nor after a gap."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncd.core import shards
from syncd.core.subscriber import Command, Subscriber
from syncd.wiring.daemon import open_daemon
from tests.support.hook import hook
from tests.support.proxy import Gate, Request, answer, held_reply, proxy_to, request_to
from tests.support.replica import Replica
from tests.support.scene import Scene
from tests.support.waiting import until

MANY = {f"many{file}.yaml": "".join(f"key_{n:02}: v{n}\n" for n in range(10)) for file in range(5)}


@pytest.fixture
def small_parts() -> Iterator[None]:
    """Watch a small tree in parts too, as a large one is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "WHOLE_UP_TO", 10)
        patch.setattr(shards, "FINEST", 4)
        yield


def pair(number: int) -> dict[str, str]:
    return {"left.yaml": f"key: {number}\n", "right.yaml": f"key: {number}\n"}


class Told:
    """A command that keeps each event, and what a subscriber knows by them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        argv = ("/bin/sh", "-c", 'cat > "$0/part" && mv "$0/part" "$0/$(date +%s%N)"', str(folder))
        self.subscriber = Subscriber("log", Command(argv))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """Each message once: a daemon that stops ends a command that has just done its work, and starts it anew."""
        every = [json.loads(path.read_text()) for path in sorted(self._folder.glob("[0-9]*"))]
        return list({body["id"]: body for body in every}.values())

    def follow(self) -> Replica:
        """Follow all; fail where the pair is not one at any moment."""

        def look(replica: Replica) -> None:
            assert replica.keys.get("left/key") == replica.keys.get("right/key"), "half a revision"

        replica = Replica(look)
        for body in self.bodies:
            replica.take(body)
        return replica

    async def until_knows(self, number: int) -> None:
        async def knows() -> bool:
            return self.follow().keys.get("left/key") == str(number)

        await until(knows, f"the subscriber never knows {number}")


# promise 16
@pytest.mark.usefixtures("small_parts")
async def test_a_node_that_stands_by_tells_a_revision_whole_though_its_watches_hear_of_it_one_by_one(
    scene: Scene, tmp_path: Path
) -> None:
    told, gate = Told(tmp_path / "told"), Gate()
    scene.repository.commit({**MANY, **pair(0)})
    own, right = (f"/v1/kv/{scene.live.prefix}/{part}" for part in (".syncd", "r"))

    def is_late(request: Request) -> bool:
        parked = "index=" in request.query and "index=1&" not in request.query
        return parked and request.path.startswith((own, right))

    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.daemon("a"), scene.daemon("b", address=proxy.address, subscribers=[told.subscriber]):
            await told.until_knows(0)

            async def both_are_watched() -> bool:
                paths = {request.path for request in proxy.seen("GET") if is_late(request)}
                return len(paths) > 1

            await until(both_are_watched, "the tree is not watched in parts")
            proxy.when(is_late, held_reply(gate), times=None)
            for number in (1, 2, 3):
                await scene.until_applied(scene.repository.commit(pair(number)))
                scene.live.put(f"left/beside{number}", "a stranger's, which the same watch tells")

            async def stranger_is_known() -> bool:
                return "left/beside3" in told.follow().keys

            await until(stranger_is_known, "the watches that are not late are heard")
            gate.release()
            await told.until_knows(3)


# promise 16
async def test_two_commits_while_a_node_was_down_are_told_as_one_revision(scene: Scene, tmp_path: Path) -> None:
    told = Told(tmp_path / "told")
    scene.repository.commit(pair(0))
    async with scene.daemon("b", subscribers=[told.subscriber]):
        await told.until_knows(0)
    async with scene.daemon("a"):
        await scene.until_applied(scene.repository.commit(pair(1)))
        await scene.until_applied(scene.repository.commit({"brain.yaml": "model: next\n"}))
    async with scene.daemon("b", subscribers=[told.subscriber]):
        await told.until_knows(1)
    assert "syncd.keys.changed.v1" not in {body["type"] for body in told.bodies}, "that is what strangers do"
    assert told.follow().keys["brain/model"] == "next"


async def test_what_the_next_pass_heals_is_not_told_because_this_one_failed(scene: Scene, tmp_path: Path) -> None:
    told = Told(tmp_path / "told")
    scene.repository.commit(pair(0))
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.daemon("a", address=proxy.address, subscribers=[told.subscriber]):
            await told.until_knows(0)
            orders = request_to("GET", f"/v1/kv/{scene.live.prefix}/.syncd/control")
            proxy.when(orders, answer(500, b"No cluster leader"))
            scene.live.put("brain/model", "by hand")

            async def is_healed() -> bool:
                return scene.live.values()["brain/model"] == b"qwen2.5:3b"

            await until(is_healed, "the drift stays")
            await scene.until_applied(scene.repository.commit(pair(1)))
            await told.until_knows(1)
    assert [sorted(change["key"] for change in body["data"]["changes"]) for body in told.bodies[1:]] == [
        ["left/key", "right/key"]
    ]


# promise 16
async def test_who_lost_the_lead_starts_no_more_tries_though_the_store_refuses_everything_else(scene: Scene) -> None:
    """A late try of an older value would come after the successor's."""
    with proxy_to(scene.live.agent.address) as proxy, hook() as there:
        there.answers = lambda _: 500
        async with scene.node(address=proxy.address) as parts:
            settings = replace(parts.settings, subscribers=(there.webhook("all", scene.home),))
            async with open_daemon(replace(parts, settings=settings)) as made:
                running = asyncio.create_task(made.run())

                async def is_held(held: bool) -> bool:
                    return bool(there.tries) and made._dispatcher.standings()[0].held is held

                await until(lambda: is_held(False), "the leader tells")
                orders = request_to("GET", f"/v1/kv/{scene.live.prefix}/.syncd/control")
                proxy.when(orders, answer(500, b"No cluster leader"), times=None)
                scene.live.agent.destroy_session(scene.live.all()[".syncd/lease"].session)
                await until(lambda: is_held(True), "it goes on telling")
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
