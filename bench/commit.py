"""Commit to KV of one key, daemon warm, against an idle single-key transaction, on a disk-backed Consul.

.venv/bin/python bench/commit.py [KEYS ...]

Timed is from the moment that the branch's ref is renamed into place (the last thing that a push or commit does) to the
moment that a blocking query on that key returns the new value. The commits are made beforehand, in a bare repository.
An idle transaction is timed right before each commit, so that both meet the same machine.
Also: the CPU that the daemon spends on a commit that changes nothing in the tree, and its resident memory.
"""

import asyncio
import base64
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.trees import change_one, git, write_tree  # noqa: E402  # the path is set above
from tests.support.consul import start_agent  # noqa: E402
from tests.support.process import running  # noqa: E402

COMMITS = 40
KEY = "config/mordomo/f0/service_0/group_0/key_0"
TARGET_COMMIT, TARGET_IDLE_MS, TARGET_MB = 5.0, 5.0, 150
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Bare:
    """A bare client of one store."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def transact(self, number: int) -> None:
        value = base64.b64encode(f"{number}".encode()).decode()
        body = json.dumps([{"KV": {"Verb": "set", "Key": "bench/one", "Value": value}}]).encode()
        async with self._session.put(f"{self._address}/v1/txn", data=body) as answer:
            await answer.read()
            assert answer.status == 200

    async def read(self, index: int) -> tuple[int, str]:
        query = f"?index={index}&wait=20s" if index else ""
        async with self._session.get(f"{self._address}/v1/kv/{KEY}{query}") as answer:
            if answer.status == 404:
                return int(answer.headers["X-Consul-Index"]), ""
            (entry,) = json.loads(await answer.read())
            return int(answer.headers["X-Consul-Index"]), base64.b64decode(entry["Value"]).decode()


async def commits_to_kv(
    client: Bare, repository: Path, commits: list[tuple[str, str]]
) -> tuple[list[float], list[float]]:
    """Return the seconds of each commit's way, and those of an idle transaction before it."""
    spent, idle = [], []
    for number, (commit, value) in enumerate(commits):
        before = time.perf_counter()
        await client.transact(number)
        idle.append(time.perf_counter() - before)
        index, seen = await client.read(0)
        waiting = asyncio.ensure_future(client.read(index))
        await asyncio.sleep(0.15)  # let the daemon come to rest
        before = time.perf_counter()
        move_branch(repository, commit)
        while seen != value:
            index, seen = await waiting
            waiting = asyncio.ensure_future(client.read(index)) if seen != value else waiting
        spent.append(time.perf_counter() - before)
        await asyncio.sleep(0.15)
    return spent, idle


def prepare(repository: Path, count: int) -> list[tuple[str, str]]:
    """Make commits that each change one key."""
    made = []
    for round_ in range(1, count + 1):
        value = change_one(repository, round_)
        made.append((git(repository, "rev-parse", "HEAD"), value))
    return made


def move_branch(repository: Path, commit: str) -> None:
    """Rename a new value of the branch into place, as git does."""
    ref = repository / "refs/heads/main"
    lock = ref.with_suffix(".lock")
    lock.write_text(f"{commit}\n")
    lock.replace(ref)


def cpu_seconds(pid: int) -> float:
    """Read a process's user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mb(pid: int) -> float:
    """Read a process's resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def nothing_changed(repository: Path, pid: int) -> float:
    """Return the milliseconds of CPU that a commit costs which changes nothing in the tree."""
    rounds = 40
    commits = []
    tip = git(repository, "rev-parse", "refs/heads/main")
    tree = git(repository, "rev-parse", f"{tip}^{{tree}}")
    for number in range(rounds):
        tip = git(
            repository, "-c", "user.name=bench", "-c", "user.email=bench@localhost",
            "commit-tree", tree, "-p", tip, "-m", f"nothing {number}",
        )  # fmt: skip
        commits.append(tip)
    before = cpu_seconds(pid)
    for commit in commits:
        move_branch(repository, commit)
        await asyncio.sleep(0.15)
    return (cpu_seconds(pid) - before) / rounds * 1e3


async def measure(keys: int) -> None:
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        folder = Path(temporary)
        work, repository, home = folder / "work", folder / "bare.git", folder / "home"
        work.mkdir()
        home.mkdir()
        write_tree(work, keys)
        start = git(work, "rev-parse", "HEAD")
        commits = prepare(work, COMMITS)
        git(folder, "clone", "-q", "--bare", str(work), str(repository))
        move_branch(repository, start)
        with start_agent(data_dir=folder / "consul") as agent:
            async with aiohttp.ClientSession() as session:
                client = Bare(session, agent.address)
                with running("run", cwd=repository, home=home, CONSUL_HTTP_ADDR=agent.address) as daemon:
                    daemon.wait_for_output("applied")
                    pid = daemon.process.pid
                    memory = resident_mb(pid)
                    spent, idles = await commits_to_kv(client, repository, commits)
                    cpu = await nothing_changed(repository, pid)
                    later = resident_mb(pid)
    median, idle = statistics.median(spent), statistics.median(idles)
    print(f"{keys} keys: commit to KV p50 {median * 1e3:.1f} ms, idle transaction {idle * 1e3:.1f} ms")
    print(f"  ratio {median / idle:.1f} (target under {TARGET_COMMIT:g} at 1k)")
    print(f"  a commit that changes nothing: {cpu:.1f} ms of CPU (target under {TARGET_IDLE_MS:g} at 100k)")
    print(f"  resident: {memory:.0f} MB after the first apply, {later:.0f} after 80 commits (target under {TARGET_MB})")


def main() -> None:
    for keys in [int(word) for word in sys.argv[1:]] or [1_000, 100_000]:
        uvloop.run(measure(keys))


if __name__ == "__main__":
    main()
