"""Fault 11: a token that is revoked, narrowed or missing changes nothing, and a good one is enough to go on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.consul import ConsulAgent, start_agent
from tests.support.live import Live
from tests.support.repository import seed_repository
from tests.support.scene import Scene
from tests.support.waiting import until

MANY = {f"many{number}.yaml": "".join(f"k{key}: v\n" for key in range(50)) for number in range(3)}


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    """A cluster with ACLs on, default deny."""
    with start_agent(acl=True) as agent:
        yield agent


@pytest.fixture
def scene(guarded: ConsulAgent, tmp_path: Path) -> Scene:
    return Scene(seed_repository(tmp_path / "repository"), Live(guarded, f"test/{tmp_path.name}"), tmp_path / "state")


def rules(scene: Scene, *more: str) -> str:
    """What the daemon's token is allowed, as docs/consul-compatibility.md says, and more."""
    enough = f'key_prefix "{scene.live.prefix}/" {{ policy = "write" }} session_prefix "" {{ policy = "write" }}'
    return " ".join((enough, *more))


def revoke(scene: Scene, token: str) -> None:
    scene.live.agent.revoke(token)


def hide_a_part(scene: Scene, token: str) -> None:
    """The control record stays visible: only the rights tell that a list is short."""
    scene.live.agent.narrow(token, rules(scene, f'key_prefix "{scene.live.prefix}/many1/" {{ policy = "deny" }}'))


def forbid_writing(scene: Scene, token: str) -> None:
    scene.live.agent.narrow(token, rules(scene).replace("write", "read", 1))


# promise 5
@pytest.mark.parametrize("weaken", [revoke, hide_a_part, forbid_writing])
async def test_a_weakened_token_changes_nothing_until_there_is_a_good_one(
    scene: Scene, tmp_path: Path, weaken: Callable[[Scene, str], None]
) -> None:
    scene.repository.commit(MANY)
    token_file = tmp_path / "token"
    token_file.write_text(first := scene.live.agent.make_token(rules(scene)))
    with capture_logs() as logs:
        async with scene.daemon(store__token_file=str(token_file)):
            await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
            before = scene.snapshot()
            weaken(scene, first)
            commit = scene.repository.commit({"many1.yaml": "k0: other\n" + MANY["many1.yaml"][6:], "tts.yaml": None})
            await until(lambda: is_denied(logs), "nobody says that the token is refused")
            assert scene.snapshot() == before
            token_file.write_text(scene.live.agent.make_token(rules(scene)))
            await scene.until_applied(commit)
    await scene.demand_applied(commit)


# promise 5
@pytest.mark.parametrize(
    "visible", ["", 'key_prefix "{}/.syncd/" {{ policy = "write" }} session_prefix "" {{ policy = "write" }}']
)
async def test_a_token_that_sees_an_empty_tree_writes_nothing(scene: Scene, tmp_path: Path, visible: str) -> None:
    """Its list answers 404, or holds the control record alone: neither is an empty store."""
    token_file = tmp_path / "token"
    token_file.write_text(scene.live.agent.make_token(rules(scene)))
    async with scene.daemon(store__token_file=str(token_file)):
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD"))
    before, lease = scene.snapshot(), scene.live.all()[".syncd/lease"]
    scene.repository.commit({"brain.yaml": None})
    if visible:
        token_file.write_text(scene.live.agent.make_token(visible.format(scene.live.prefix)))
    opened = scene.daemon("b", store__token_file=str(token_file)) if visible else scene.daemon("b")
    with capture_logs() as logs:
        async with opened:
            await until(lambda: is_denied(logs), "nobody says that the token is refused")
    assert scene.snapshot() == before
    assert scene.live.all()[".syncd/lease"] == lease, "who may not write should not lead"


async def is_denied(logs: list[EventDict]) -> bool:
    """A person is told, once, what to do."""
    told = [line for line in logs if line["log_level"] == "error"]
    return bool(told) and all(line["hint"] for line in told)
