"""Any history of commits, strangers, deaths and restarts ends at the tip, with strangers' keys as they left them."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.consul import ConsulAgent, start_agent
from tests.support.live import Live
from tests.support.node import apply_once
from tests.support.process import Process, running
from tests.support.repository import TREE, Repository
from tests.support.scene import Scene
from tests.support.waiting import until

STEPS = 40
FILES = 6
KEYS = 20
MANY = {f"k{number}": "so that a few deletes are no mass delete" for number in range(500)}
FIXED = {f"k{number}": "as committed" for number in range(5)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulAgent]:
    """A store on disk, which comes back with all that it acknowledged."""
    with start_agent(data_dir=tmp_path_factory.mktemp("store")) as agent:
        yield agent


# promise 1
@pytest.mark.parametrize("seed", range(3))
async def test_the_store_ends_at_the_tip(store: ConsulAgent, tmp_path: Path, seed: int) -> None:
    repository = Repository(tmp_path / "repository")
    scene = Scene(repository, Live(store, f"test/{tmp_path.name}"), tmp_path / "state")
    with ExitStack() as stack:
        history = History(scene, random.Random(seed), stack)
        async with scene.node() as parts:
            await apply_once(parts)
        for _ in range(STEPS):
            history.step()
    history.end_sessions()
    tip = repository.git("rev-parse", "HEAD")
    async with scene.daemon("a", source__branch="main"):
        await scene.until_applied(tip)
        await until(history.strangers_are_healed, "what strangers did to keys of the tree is not undone")
    await scene.demand_applied(tip, history.foreign)


class History:
    """What happens, and what of it concerns strangers' keys."""

    def __init__(self, scene: Scene, dice: random.Random, stack: ExitStack) -> None:
        self._scene = scene
        self._dice = dice
        self._stack = stack
        self._nodes: dict[str, Process] = {}
        self._files: dict[str, dict[str, str]] = {"fixed": FIXED, "many": MANY}
        self.foreign: dict[str, bytes] = {}
        self._commit()

    def step(self) -> None:
        """Let something happen; strangers' keys are never touched by it."""
        kinds = {
            self._commit: 8,
            self._write_beside: 4,
            self._tamper: 4,
            self._start: 6,
            self._kill: 3,
            self._stop: 1,
            self.end_sessions: 2,
            self._restart_store: 1,
        }
        self._dice.choices(list(kinds), list(kinds.values()))[0]()
        found = self._scene.live.values()
        assert {key: found.get(key) for key in self.foreign} == self.foreign

    def end_sessions(self) -> None:
        """End whatever session holds the lease."""
        lease = self._scene.live.all().get(".syncd/lease")
        if lease is not None and lease.session:
            self._scene.live.agent.destroy_session(lease.session)

    async def strangers_are_healed(self) -> bool:
        """Tell whether the keys that strangers tampered with are as committed."""
        found = self._scene.live.entries()
        ours = [found.get(f"fixed/{key}") for key in FIXED]
        return all(entry and (entry.value, entry.flags) == (b"as committed", self._scene.mark) for entry in ours)

    def _commit(self) -> None:
        for name in self._dice.sample([f"file{number}" for number in range(FILES)], 2):
            keys = self._files.setdefault(name, {})
            for number in self._dice.sample(range(KEYS), 5):
                if self._dice.random() < 0.7:
                    keys[f"k{number}"] = str(self._dice.random())
                else:
                    keys.pop(f"k{number}", None)
        text = {
            f"{name}.yaml": "".join(f"{key}: {value}\n" for key, value in keys.items()) or "{}\n"
            for name, keys in self._files.items()
        }
        self._scene.repository.commit(text)

    def _write_beside(self) -> None:
        key, value = f"foreign/k{self._dice.randrange(4)}", str(self._dice.random()).encode()
        if key in self.foreign and self._dice.random() < 0.3:
            self._scene.live.delete(key)
            del self.foreign[key]
        else:
            self._scene.live.put(key, value)
            self.foreign[key] = value

    def _tamper(self) -> None:
        """Change a key of the tree: as ``consul kv put`` does, as the web UI does, or by deleting it."""
        key = f"fixed/{self._dice.choice(list(FIXED))}"
        how = self._dice.randrange(3)
        if how == 0:
            self._scene.live.put(key, "a stranger's")
        elif how == 1:
            self._scene.live.put(key, "a stranger's", flags=self._scene.mark)
        else:
            self._scene.live.delete(key)

    def _start(self) -> None:
        name = self._dice.choice("ab")
        if name in self._nodes:
            return
        scene = self._scene
        words = ["--path", TREE, "--prefix", scene.live.prefix, "--address", scene.live.agent.address]
        words += ["--state-directory", str(scene.home / name)]
        started = running("run", *words, cwd=scene.repository.folder, home=scene.home)
        self._nodes[name] = self._stack.enter_context(started)
        if self._dice.random() < 0.7:
            self._nodes[name].wait_for_output("following")

    def _kill(self) -> None:
        for name in self._one_of_the_running():
            self._nodes.pop(name).kill()

    def _stop(self) -> None:
        for name in self._one_of_the_running():
            process = self._nodes.pop(name)
            process.wait_for_output("following")  # before that SIGTERM ends it as it ends any program
            assert process.stop() == 0, process.output

    def _restart_store(self) -> None:
        self._scene.live.agent.kill()
        self._scene.live.agent.restart()

    def _one_of_the_running(self) -> list[str]:
        return self._dice.sample(sorted(self._nodes), min(1, len(self._nodes)))
