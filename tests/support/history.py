"""What happens to a source, its store and its subscribers, and what must be true of it in the end."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from syncd.core.control import Control, Pause, encode
from syncd.core.subscriber import Command, Filter, Subscriber
from tests.support.hook import Got, Hook
from tests.support.replica import Replica
from tests.support.scene import Scene
from tests.support.waiting import until

BULK: Final = 70
FIXED: Final = {f"k{number}": "as committed" for number in range(5)}
FILTERS: Final[Mapping[str, Filter]] = {
    "all": Filter(),
    "pair": Filter(("pair/",)),
    "strangers": Filter((), ("theirs/",)),
}


@dataclass
class Versions:
    """What a subscriber must see at every moment: a pair of keys that change together, and no number that falls.

    A value of a numbered key is a number that grows with every write; nobody may see it fall unless all is told anew.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    resets: int = 0

    def look(self, replica: Replica) -> None:
        left, right = replica.keys.get("pair/left"), replica.keys.get("pair/right")
        assert left == right, f"half a revision: {left} and {right}"
        if replica.resets != self.resets:
            self.resets, self.numbers = replica.resets, {}
        for key, value in replica.keys.items():
            if key.startswith(("pair/", "theirs/")):
                assert int(value) >= self.numbers.get(key, 0), f"{key} fell to {value}"
                self.numbers[key] = int(value)


class History:
    """One source and one prefix, nodes that come and go, and subscribers: a hook for each filter, and a command.

    ``files`` is the tree at the tip, ``theirs`` what strangers wrote beside it.
    """

    def __init__(self, scene: Scene, hooks: Mapping[str, Hook]) -> None:
        self.scene = scene
        self.hooks = hooks
        self.theirs: dict[str, str] = {}
        self.files: dict[str, dict[str, str]] = {"fixed": dict(FIXED)}
        self._before = self.files
        self._numbers = count(1)
        self._nodes: dict[str, AsyncExitStack] = {}
        self._snapshot: tuple[bytes, dict[str, str]] | None = None
        for there in hooks.values():
            there.replica.look = Versions().look
        self._commit(bulk="0", some={})

    # -- what may happen

    def change(self, values: Mapping[str, str | None]) -> None:
        """Commit a few keys; None removes one."""
        some = {**self.files.get("some", {})}
        for key, value in values.items():
            if value is None:
                some.pop(key, None)
            else:
                some[key] = value
        self._commit(some=some)

    def change_many(self) -> None:
        """Commit more than one transaction holds."""
        self._commit(bulk=str(next(self._numbers)))

    def revert(self) -> None:
        """Commit what the commit before said."""
        self._commit(**{name: keys for name, keys in self._before.items() if name in ("some", "bulk")})

    def write_beside(self, key: str) -> None:
        """Write a stranger's key."""
        value = str(next(self._numbers))
        self.scene.live.put(f"theirs/{key}", value)
        self.theirs[f"theirs/{key}"] = value

    def delete_beside(self, key: str) -> None:
        """Delete a stranger's key."""
        self.scene.live.delete(f"theirs/{key}")
        self.theirs.pop(f"theirs/{key}", None)

    def tamper(self, key: str) -> None:
        """Write a key of the tree."""
        self.scene.live.put(f"fixed/{key}", "a stranger's")

    def tamper_by_deleting(self, key: str) -> None:
        """Delete a key of the tree."""
        self.scene.live.delete(f"fixed/{key}")

    def write_marked(self) -> None:
        """Write a key that carries the mark and stands in no commit."""
        self.scene.live.put("marked/key", "goes", flags=self.scene.mark)

    def pause(self) -> None:
        self.scene.live.put(".syncd/control", encode(Control(pause=Pause("Ana", 0))))

    def resume(self) -> None:
        self.scene.live.put(".syncd/control", encode(Control()))

    def fail(self, name: str, times: int, *, taken: bool) -> None:
        """Let a subscriber fail so often; ``taken``: it took what it was told, and only its answer is lost."""
        left = count(times, -1)

        def answers(_: Got) -> int:
            return (-503 if taken else 503) if next(left) > 0 else 204

        self.hooks[name].answers = answers

    def hang(self, name: str) -> None:
        self.hooks[name].hold()

    def recover(self, name: str) -> None:
        self.hooks[name].release()

    async def start(self, name: str) -> None:
        """Start a node's daemon."""
        if name in self._nodes:
            return
        stack = self._nodes[name] = AsyncExitStack()
        await stack.enter_async_context(self.scene.daemon(name, subscribers=self._subscribers(name)))

    async def stop(self, name: str) -> None:
        """Stop a node's daemon in order."""
        if name in self._nodes:
            await self._nodes.pop(name).aclose()

    async def settle(self) -> None:
        """Wait until the tip is applied, if anybody is there to apply it."""
        if self._nodes and not self._is_paused():
            self._end_lost_sessions()
            await self.scene.until_applied(self.scene.repository.git("rev-parse", "HEAD"))

    async def catch_up(self) -> None:
        """Wait until every subscriber knows what strangers wrote."""
        if self._nodes:
            await until(lambda: self._knows(self.hooks["strangers"], self.theirs, bool), "strangers' keys are known")

    def take_snapshot(self) -> None:
        status, _, archive = self.scene.live.agent.request("GET", "/v1/snapshot")
        assert status == 200
        self._snapshot = archive, dict(self.theirs)

    def restore(self) -> None:
        """Put the last snapshot back."""
        if self._snapshot is not None:
            archive, self.theirs = self._snapshot[0], dict(self._snapshot[1])
            assert self.scene.live.agent.request("PUT", "/v1/snapshot", archive)[0] == 200

    def restart_store(self) -> None:
        self.scene.live.agent.kill()
        self.scene.live.agent.restart()

    # -- the end

    async def end(self) -> None:
        """Let everything come to rest; fail unless the store and every subscriber are where they must be."""
        for there in self.hooks.values():
            there.release()
        self.resume()
        await self.start("a")
        await self.settle()
        wanted = self._wanted()
        await until(lambda: self._holds(wanted), f"the store holds {wanted}")
        for name, there in self.hooks.items():
            wants = FILTERS[name].test()
            await until(
                lambda there=there, wants=wants: self._knows(there, wanted, wants),  # type: ignore[misc]
                f"{name} knows what the store holds",
            )
        for name in list(self._nodes):
            await until(lambda name=name: self._has_heard(name, wanted), "the command heard it all")  # type: ignore[misc]
            await self.stop(name)

    async def close(self) -> None:
        """Stop whatever still runs."""
        for name in list(self._nodes):
            await self.stop(name)

    def _wanted(self) -> dict[str, str]:
        ours = {f"{name}/{key}": value for name, keys in self.files.items() for key, value in keys.items()}
        return ours | self.theirs

    async def _holds(self, wanted: dict[str, str]) -> bool:
        return {key: value.decode() for key, value in self.scene.live.values().items()} == wanted

    async def _knows(self, there: Hook, wanted: dict[str, str], wants: Callable[[str], bool]) -> bool:
        if there.faults:
            raise there.faults[0]
        return there.replica.keys == {key: value for key, value in wanted.items() if wants(key)}

    async def _has_heard(self, name: str, wanted: dict[str, str]) -> bool:
        """Follow all that a node's command was told."""
        heard = Replica(Versions().look)
        for path in sorted(self._heard(name).glob("[0-9]*")):
            heard.take(json.loads(path.read_text()))
        return heard.keys == wanted

    # -- within

    def _commit(self, *, bulk: str | dict[str, str] | None = None, some: dict[str, str] | None = None) -> None:
        number = str(next(self._numbers))
        self._before, files = self.files, dict(self.files)
        files["pair"] = {"left": number, "right": number}
        if bulk is not None:
            files["bulk"] = bulk if isinstance(bulk, dict) else {f"k{each}": bulk for each in range(BULK)}
        if some is not None:
            files["some"] = some
        self.files = files
        text = {
            f"{name}.yaml": "".join(f'{key}: "{value}"\n' for key, value in keys.items()) or "{}\n"
            for name, keys in files.items()
        }
        self.scene.repository.commit(text)

    def _subscribers(self, node: str) -> Sequence[Subscriber]:
        hooks = [there.webhook(name, self.scene.home, FILTERS[name]) for name, there in self.hooks.items()]
        folder = self._heard(node)
        folder.mkdir(exist_ok=True)
        argv = ("/bin/sh", "-c", 'cat > "$0/part" && mv "$0/part" "$0/$(date +%s%N)"', str(folder))
        return [*hooks, Subscriber("log", Command(argv))]

    def _heard(self, node: str) -> Path:
        return self.scene.home / f"heard-{node}"

    def _is_paused(self) -> bool:
        entry = self.scene.live.all().get(".syncd/control")
        return entry is not None and b'"pause":{' in entry.value

    def _end_lost_sessions(self) -> None:
        """End what a restore has brought back to life, as its time to live would."""
        if self._snapshot is None:
            return
        lease = self.scene.live.all().get(".syncd/lease")
        if lease is not None and lease.session:
            self.scene.live.agent.destroy_session(lease.session)
