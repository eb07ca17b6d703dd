"""Fault 1: a daemon killed at any step of an apply leaves what a restart brings to the same end, each key once."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from syncd.core.live import Entry
from syncd.core.record import Record
from syncd.wiring.parts import Parts
from tests.support.consul import ConsulAgent
from tests.support.live import Live, without_lease
from tests.support.node import apply_once, daemon, node
from tests.support.process import Process, running
from tests.support.proxy import Exchange, Fault, Proxy, Request, proxy_to
from tests.support.repository import TREE, Repository
from tests.support.waiting import until, wait_until

LARGE: Final = "x" * 420_000  # no transaction holds it
FOREIGN: Final = {"foreign/a": "1", "go/k70": "not ours, though beside ours"}
SHARES: Final = 2  # of the steps, for the workers of the test run
MOST: Final = 100


def numbered(value: str, count: int) -> str:
    return "".join(f'k{number}: "{value} {number}"\n' for number in range(count))


BEFORE: Final[Mapping[str, str]] = {
    "stay.yaml": numbered("same", 500),
    "change.yaml": numbered("old", 130),
    "go.yaml": numbered("old", 70),
    "big.txt": "small",
}
AFTER: Final[Mapping[str, str | None]] = {
    "change.yaml": numbered("new", 130),
    "go.yaml": None,
    "come.yaml": numbered("new", 70),
    "big.txt": LARGE,
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two commits: ``before`` and, on main, what is being applied when the daemon dies."""
    made = Repository(tmp_path_factory.mktemp("killed") / "repository")
    made.commit(BEFORE, "Before")
    made.git("branch", "before")
    made.commit(AFTER, "After")
    return made


def is_step(request: Request) -> bool:
    """Tell whether dying at this request can make a difference: a read leaves the store as it was."""
    return request.method == "PUT"


def killing(kill: Callable[[], None], *, forward: bool) -> Fault:
    """End the daemon as the request arrives, or when the store has done it and before the daemon hears."""

    async def fault(exchange: Exchange) -> None:
        if forward:
            await exchange.forward()
        kill()
        exchange.reset()

    return fault


# promise 7
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("forward", [False, True], ids=["before the store has it", "before the daemon hears"])
async def test_wherever_it_dies_a_restart_ends_at_the_commit(
    consul: ConsulAgent, repository: Repository, tmp_path: Path, forward: bool, share: int
) -> None:
    for step in range(share, MOST, SHARES):
        attempt = Attempt(consul, repository, tmp_path / str(step))
        await attempt.prepare()
        died = attempt.run_and_die(step, forward=forward)
        await attempt.restart()
        attempt.demand_the_end()
        await attempt.demand_no_more_writes()
        consul.delete_tree(attempt.live.prefix)
        if not died:
            return
    raise AssertionError("no apply takes so many steps")


class Attempt:
    """One daemon's death and what comes after."""

    def __init__(self, consul: ConsulAgent, repository: Repository, home: Path) -> None:
        self.live = Live(consul, f"test/{uuid.uuid4().hex[:12]}")
        self._repository = repository
        self._home = home
        self._tip = repository.git("rev-parse", "main")
        self._landed: dict[str, Entry] = {}

    async def prepare(self) -> None:
        """Apply the first commit, and let a stranger write."""
        async with self._node("before") as it:
            assert (await apply_once(it)).result == "applied"
        for key, value in FOREIGN.items():
            self.live.put(key, value)

    def run_and_die(self, step: int, *, forward: bool) -> bool:
        """Run the daemon until it dies at that step; False where the apply ended before."""
        with proxy_to(self.live.agent.address) as proxy, self._running(proxy) as process:
            proxy.when(is_step, killing(process.kill, forward=forward), skip=step)
            ended = process.process.poll
            wait_until(
                lambda: ended() is not None or self._is_applied(), "neither dead nor done", lambda: process.output
            )
            died = ended() is not None
        self._landed = self.live.entries()
        return died

    async def restart(self) -> None:
        """Start again on the same state directory."""
        async with self._node() as it, daemon(it):
            await until(self._applied_at_last, "the commit is not applied")

    def demand_the_end(self) -> None:
        """What stands is the commit, whole, and what had landed before the death was not written again."""
        found = self.live.entries()
        wanted = {f"stay/k{n}": f"same {n}" for n in range(500)} | {f"change/k{n}": f"new {n}" for n in range(130)}
        wanted |= {f"come/k{n}": f"new {n}" for n in range(70)} | {"big.txt": LARGE} | FOREIGN
        assert {key: entry.value.decode() for key, entry in found.items()} == wanted
        right = {key for key, entry in self._landed.items() if wanted.get(key) == entry.value.decode()}
        assert {key: found[key] for key in right} == {key: self._landed[key] for key in right}

    def _node(self, branch: str = "main") -> AbstractAsyncContextManager[Parts]:
        state = self._home / "state"
        return node(self._repository, self.live.agent.address, self.live.prefix, state, source__branch=branch)

    async def _applied_at_last(self) -> bool:
        return self._is_applied()

    def _is_applied(self) -> bool:
        return self.live.applied() == self._tip

    def _running(self, proxy: Proxy) -> AbstractContextManager[Process]:
        flags = {"--repo": self._repository.folder, "--path": TREE, "--address": proxy.address}
        flags |= {"--prefix": self.live.prefix, "--state-directory": self._home / "state"}
        words = [str(word) for pair in flags.items() for word in pair]
        return running("run", *words, cwd=self._repository.folder, home=self._home)

    async def demand_no_more_writes(self) -> None:
        """Applying once more leaves every key where it is; only the record's stamp moves, after a death."""
        before = self._standing()
        async with self._node() as it:
            assert (await apply_once(it)).result == "unchanged"
        assert self._standing() == before

    def _standing(self) -> tuple[Record, dict[str, Entry]]:
        entries, record = without_lease(self.live.all()), self.live.record()
        assert record is not None
        del entries[".syncd/revision"]
        return replace(record, stamp=""), entries
