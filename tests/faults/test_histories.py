"""Any history ends with every subscriber knowing what the store holds, and at no moment half a revision."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from syncd.core import delivery, shards
from syncd.daemon import observer
from tests.support.consul import ConsulAgent, start_agent
from tests.support.embedded import EmbeddedAgent, start_embedded
from tests.support.history import FILTERS, FIXED, History
from tests.support.hook import Hook, hook
from tests.support.live import Live
from tests.support.replica import Replica
from tests.support.repository import Repository, seed_repository
from tests.support.scene import Scene
from tests.support.teller import Teller
from tests.support.waiting import wait_until

PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)  # a failing history is not made smaller: that takes long


class Named:
    """A step that is printed as it is written."""

    def __init__(self, name: str, *words: object, **more: object) -> None:
        self.name, self._words, self._more = name, words, more

    async def take(self, history: History) -> None:
        made = getattr(history, self.name)(*self._words, **self._more)
        if asyncio.iscoroutine(made):
            await made

    def __repr__(self) -> str:
        given = [*map(repr, self._words), *(f"{name}={value!r}" for name, value in self._more.items())]
        return f"{self.name}({', '.join(given)})"


def steps(*names: str) -> st.SearchStrategy[Named]:
    return st.sampled_from(names).map(Named)


KEYS: Final = st.sampled_from(["a", "b", "c"])
NAMES: Final = st.sampled_from(list(FILTERS))
VALUES: Final = st.dictionaries(KEYS, st.none() | st.sampled_from(["1", "2"]), min_size=1)
CALM: Final = st.one_of(
    VALUES.map(lambda values: Named("change", values)),
    steps("change_many", "revert", "settle", "settle"),
    KEYS.map(lambda key: Named("write_beside", key)),
    KEYS.map(lambda key: Named("delete_beside", key)),
    st.sampled_from(list(FIXED)).flatmap(
        lambda key: st.sampled_from([Named("tamper", key), Named("tamper_by_deleting", key)])
    ),
    steps("write_marked", "pause", "resume"),
    st.builds(
        lambda name, times, taken: Named("fail", name, times, taken=taken), NAMES, st.integers(1, 3), st.booleans()
    ),
    NAMES.flatmap(lambda name: st.sampled_from([Named("hang", name), Named("recover", name)])),
    st.sampled_from("ab").flatmap(lambda node: st.sampled_from([Named("start", node), Named("stop", node)])),
)

RESTLESS: Final = st.one_of(CALM, CALM, steps("take_snapshot", "restore", "restart_store"))


@pytest.fixture(scope="module", params=[pytest.param("consul", marks=pytest.mark.consul), "embedded"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulAgent]:
    """A store on disk, which comes back with all that it acknowledged."""
    folder = tmp_path_factory.mktemp("store")
    with start_agent(data_dir=folder) if request.param == "consul" else start_embedded(folder) as agent:
        yield agent


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("histories") / "repository")


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Try failed deliveries again at once, and watch a small tree in parts too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "WHOLE_UP_TO", 20)
        patch.setattr(shards, "FINEST", 4)
        patch.setattr(observer, "SWEEP_SECONDS", 0.1)
        patch.setattr(delivery, "SCHEDULE", (0.02,) * 1000)
        patch.setattr(delivery, "NEWS_SECONDS", 0.02)
        yield


def play(store: ConsulAgent, repository: Repository, folder: Path, history: list[Named]) -> None:
    """Let a history happen to a fresh prefix, and demand what must be true at its end."""

    async def run(made: History) -> None:
        try:
            await made.start("a")
            await made.settle()
            for step in history:
                await step.take(made)
            await made.end()
        finally:
            await made.close()

    home = folder / uuid.uuid4().hex[:12]
    home.mkdir()
    scene = Scene(repository, Live(store, f"test/{home.name}"), home)
    with ExitStack() as stack:
        hooks = {name: stack.enter_context(hook()) for name in FILTERS}
        asyncio.run(run(History(scene, hooks)))
    store.delete_tree(f"{scene.live.prefix}/")


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples, phases=PHASES, print_blob=True, suppress_health_check=list(HealthCheck), deadline=None
    )


# promise 15
# promise 16
@bounded(12)
@given(history=st.lists(CALM, min_size=4, max_size=16))
def test_subscribers_end_where_the_store_ends_and_never_see_half_a_revision(
    store: ConsulAgent, repository: Repository, tmp_path_factory: pytest.TempPathFactory, history: list[Named]
) -> None:
    play(store, repository, tmp_path_factory.mktemp("history"), history)


# promise 15
# promise 16
@bounded(4)
@given(history=st.lists(RESTLESS, min_size=6, max_size=12))
def test_so_they_do_when_the_store_is_killed_and_goes_back_to_older_snapshots(
    store: ConsulAgent, repository: Repository, tmp_path_factory: pytest.TempPathFactory, history: list[Named]
) -> None:
    if isinstance(store, EmbeddedAgent):
        history = [step for step in history if "snapshot" not in step.name and step.name != "restore"]
    else:
        history = [Named("take_snapshot"), *history, Named("restore")]
    play(store, repository, tmp_path_factory.mktemp("history"), history)


MORTAL: Final = st.sampled_from(["commit", "commit", "write beside", "delete beside", "kill", "kill", "hang", "answer"])


# promise 15
# promise 16
@bounded(2)
@given(history=st.lists(MORTAL, min_size=6, max_size=10))
def test_so_they_do_when_a_real_daemon_is_killed_again_and_again(
    store: ConsulAgent, tmp_path_factory: pytest.TempPathFactory, history: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    scene = Scene(
        seed_repository(folder / "repository"), Live(store, f"test/{uuid.uuid4().hex[:12]}"), folder / "state"
    )
    with hook() as there:
        there.replica.look = look
        teller = Teller(scene, there.port)
        teller.begin(there)
        for alive in lives(history):
            with teller.run() as daemon:
                for step in alive:
                    happen(step, teller, there)
                daemon.kill()
        there.release()
        teller.restart(there)
    store.delete_tree(f"{scene.live.prefix}/")


def look(replica: Replica) -> None:
    assert replica.keys.get("some/key") == replica.keys.get("some/same"), "half a revision"


def lives(history: list[str]) -> Iterator[list[str]]:
    """Part a history by the deaths in it."""
    life: list[str] = []
    for step in history:
        if step == "kill":
            yield life
            life = []
        else:
            life.append(step)
    yield life


def happen(step: str, teller: Teller, there: Hook) -> None:
    """Let one thing happen; a daemon that just started may not have noticed by its death."""
    live = teller.scene.live
    match step:
        case "commit":
            commit = teller.commit()
            wait_until(lambda: live.applied() == commit, "it is applied")
        case "write beside":
            live.put("theirs/key", uuid.uuid4().hex)
        case "delete beside":
            live.delete("theirs/key")
        case "hang":
            there.hold()
        case "answer":
            there.release()
