"""Learn which key changed, 100k keys, nine of ten in one folder, foreign writes, on a disk-backed Consul.

.venv/bin/python bench/watch.py [KEYS]

Three watchers in one run: syncd's observer, 100 bare prefix watches (aiohttp, msgspec) on parts of equal weight, and
``consul watch`` with a handler. Timed is from the moment that the write is sent to the moment that the watcher knows
the key (for ``consul watch``: that its handler has read its input, which does not even say which key). CPU is that of
watcher and server for each write.
"""

import asyncio
import base64
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syncd.core.mirror import Observed  # noqa: E402  # the path is set above
from syncd.core.shards import Cover, Shard, cut  # noqa: E402
from syncd.daemon.observer import CUT_INTO, Observer  # noqa: E402
from syncd.daemon.service import Service  # noqa: E402
from syncd.daemon.survey import Held  # noqa: E402
from syncd.store.answers import FOUND  # noqa: E402
from syncd.wiring.parts import open_parts  # noqa: E402
from syncd.wiring.process import boot_time  # noqa: E402
from tests.support.consul import ConsulAgent, consul_binary, start_agent  # noqa: E402
from tests.support.node import settings_of  # noqa: E402
from tests.support.repository import seed_repository  # noqa: E402

PREFIX = "config/mordomo"
WRITES, CLI_WRITES, RATE = 100, 6, 10
VALUE = "v" * 150
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
TARGET_BARE, TARGET_CLI, TARGET_CPU = 2.0, 100.0, 40.0


class Times:
    """When each write was sent and when it was seen."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.spent: dict[str, float] = {}

    def seen(self, key: str) -> None:
        if key in self.sent and key not in self.spent:
            self.spent[key] = time.perf_counter() - self.sent[key]

    @property
    def p50(self) -> float:
        return statistics.median(self.spent.values())


class Stamping(Observer):
    """The observer, which also notes when it learnt of a key."""

    times: Times

    def note(self, held: Held, changed: tuple[Observed, ...]) -> None:
        for each in changed:
            self.times.seen(each.key)
        super().note(held, changed)


def names(count: int) -> list[str]:
    large = count * 9 // 10
    found = [f"large/service_{n // 100}/group_{n // 10 % 10}/key_{n % 10}" for n in range(large)]
    return found + [f"small_{n // 100}/key_{n % 100}" for n in range(count - large)]


async def load(session: aiohttp.ClientSession, agent: ConsulAgent, keys: list[str]) -> None:
    value = base64.b64encode(VALUE.encode()).decode()
    for start in range(0, len(keys), 64):
        batch = [{"KV": {"Verb": "set", "Key": f"{PREFIX}/{key}", "Value": value}} for key in keys[start : start + 64]]
        async with session.put(f"{agent.address}/v1/txn", data=msgspec.json.encode(batch)) as answer:
            assert answer.status == 200


async def write(session: aiohttp.ClientSession, agent: ConsulAgent, key: str, value: str) -> None:
    async with session.put(f"{agent.address}/v1/kv/{PREFIX}/{key}", data=value.encode()) as answer:
        assert (await answer.read()).strip() == b"true"


async def disturb(session: aiohttp.ClientSession, agent: ConsulAgent, keys: list[str], times: Times, who: str) -> None:
    for number, key in enumerate(random.Random(1).sample(keys, WRITES)):
        times.sent[key] = time.perf_counter()
        await write(session, agent, key, f"{who}-{number}")
        await asyncio.sleep(1 / RATE)
    await until(lambda: len(times.spent) == WRITES)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


def cpu(pid: int) -> float:
    """Read a process's CPU, that of its dead children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / CLOCK_TICKS


@asynccontextmanager
async def bare(session: aiohttp.ClientSession, agent: ConsulAgent, keys: list[str], times: Times) -> AsyncIterator[int]:
    """Watch 100 prefixes."""
    parts = cut(sorted(keys), 100)
    known: dict[str, int] = {}

    async def follow(shard: Shard) -> None:
        index = 0
        while True:
            query = f"index={index}&wait=55s" if index else ""
            recurse = "" if shard.exact else "recurse&"
            async with session.get(f"{agent.address}/v1/kv/{PREFIX}/{shard.prefix}?{recurse}{query}") as answer:
                index = int(answer.headers["X-Consul-Index"])
                for found in FOUND.decode(await answer.read()):
                    if known.get(found.key) != found.modify_index:
                        known[found.key] = found.modify_index
                        times.seen(found.key.removeprefix(f"{PREFIX}/"))

    tasks = [asyncio.create_task(follow(shard)) for shard in parts]
    await until(lambda: len(known) == len(keys))
    yield len(parts)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def syncd(folder: Path, agent: ConsulAgent, times: Times) -> AsyncIterator[int]:
    """Watch as the daemon does."""
    settings = settings_of(seed_repository(folder / "repository"), agent.address, PREFIX, folder / "home")
    async with open_parts(settings, {}, stateful=True) as parts:
        held = await parts.survey.hold()
        observer = Stamping(
            parts.store,
            parts.survey,
            pulse=Service({}, clock=time.monotonic).pulse,
            clock=boot_time,
            draw=random.random,
        )
        observer.times = times
        task = asyncio.create_task(observer.run(lambda: None, lambda: None))
        observer.follow(held)
        await asyncio.sleep(2)
        yield len(cut(held.mirror.keys(), CUT_INTO))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def measured(agent: ConsulAgent, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the milliseconds of CPU for each write: ours and the server's."""
    own, server = time.process_time(), cpu(agent.process.pid)
    await work()
    return (
        (time.process_time() - own) / WRITES * 1e3,
        (cpu(agent.process.pid) - server) / WRITES * 1e3,
    )


async def by_cli(
    session: aiohttp.ClientSession, agent: ConsulAgent, keys: list[str], folder: Path
) -> tuple[float, float, float]:
    """Watch with ``consul watch`` and a handler that reads its input; return p50 and the CPU for each write."""
    marks = folder / "marks"
    marks.touch()
    handler = f"cat > /dev/null; echo x >> {marks}"
    command = [consul_binary(), "watch", f"-http-addr={agent.host}", "-type=keyprefix", f"-prefix={PREFIX}/", handler]
    watcher = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def handled(count: int) -> None:
        await until(lambda: marks.stat().st_size >= 2 * count)

    await handled(1)
    await asyncio.sleep(2)
    spent, own, server = list[float](), cpu(watcher.pid), cpu(agent.process.pid)
    for number, key in enumerate(random.Random(2).sample(keys, CLI_WRITES)):
        began = time.perf_counter()
        await write(session, agent, key, f"cli-{number}")
        await handled(number + 2)
        spent.append(time.perf_counter() - began)
        await asyncio.sleep(1)
    cost = (cpu(watcher.pid) - own) / CLI_WRITES * 1e3, (cpu(agent.process.pid) - server) / CLI_WRITES * 1e3
    watcher.kill()
    await watcher.wait()
    return statistics.median(spent), *cost


async def measure(count: int) -> None:
    keys = names(count)
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        folder = Path(temporary)
        with start_agent(data_dir=folder / "consul") as agent:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), headers={"Accept-Encoding": "identity"}
            ) as session:
                await load(session, agent, keys)
                ours, theirs = Times(), Times()
                async with syncd(folder, agent, ours) as parts:
                    cost = await measured(agent, lambda: disturb(session, agent, keys, ours, "syncd"))
                async with bare(session, agent, keys, theirs) as bare_parts:
                    bare_cost = await measured(agent, lambda: disturb(session, agent, keys, theirs, "bare"))
                cli, *cli_cost = await by_cli(session, agent, keys, folder)
    heaviest = [Cover(cut(sorted(keys), most)).heaviest(sorted(keys)) for most in (CUT_INTO, 100)]
    print(f"{count} keys, nine of ten in one folder, foreign writes, 10 a second")
    print(f"  syncd, {parts} watches (heaviest {heaviest[0]} keys): p50 {ours.p50 * 1e3:.1f} ms, {shown(*cost)}")
    print(f"  bare, {bare_parts} watches (heaviest {heaviest[1]}): p50 {theirs.p50 * 1e3:.1f} ms, {shown(*bare_cost)}")
    print(f"  consul watch: p50 {cli * 1e3:.0f} ms, {shown(*cli_cost)}")
    print(f"  p50 {ours.p50 / theirs.p50:.1f} times bare (target under {TARGET_BARE:g})")
    print(f"  {cli / ours.p50:.0f} times faster than consul watch (target {TARGET_CLI:g})")
    print(f"  {sum(cli_cost) / sum(cost):.0f} times less CPU than consul watch (target {TARGET_CPU:g})")
    print(f"  server CPU {cost[1] / bare_cost[1]:.1f} times bare (target under 3)")


def shown(watcher: float, server: float) -> str:
    return f"CPU {watcher:.1f} ms + server {server:.1f} ms a write"


def main() -> None:
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))


if __name__ == "__main__":
    main()
