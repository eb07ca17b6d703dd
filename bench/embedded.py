"""The embedded store against a disk-backed Consul, in one run: ratios of time, embedded over Consul.

.venv/bin/python bench/embedded.py
"""

import asyncio
import base64
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.consul import start_agent  # noqa: E402  # the path is set above

VALUE = b"x" * 150
TARGETS = {"GET": 1.5, "PUT": 1.5, "txn of 64": 1.0, "recurse of 1k": 1.0, "wake-up": 1.5}
ROUNDS = 5
_SERVER = """
import asyncio, pathlib, sys, uvloop
from syncd.embedded.server import start
async def main():
    server = await start(pathlib.Path(sys.argv[1]), port=0)
    print(server.address, flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""


class Client:
    """A bare aiohttp client of one store."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        url = URL(self._address + path, encoded=True)
        async with self._session.request(method, url, data=body) as answer:
            content = await answer.read()
            assert answer.status == 200, (path, answer.status, content)
            return int(answer.headers.get("X-Consul-Index", 0)), content


async def timed(count: int, act: Callable[[int], Awaitable[object]]) -> float:
    """Return the median of ``count`` sequential calls, in milliseconds."""
    spent = []
    for number in range(count):
        before = time.perf_counter()
        await act(number)
        spent.append((time.perf_counter() - before) * 1e3)
    return statistics.median(spent)


def transaction(number: int) -> bytes:
    value = base64.b64encode(VALUE + str(number).encode()).decode()
    changes = [{"KV": {"Verb": "set", "Key": f"bench/txn/{key}", "Value": value}} for key in range(64)]
    return json.dumps(changes).encode()


async def measure(client: Client, seed: int) -> dict[str, float]:
    value = VALUE + str(seed).encode()
    return {
        "GET": await timed(300, lambda _: client.call("GET", "/v1/kv/bench/tree/500")),
        "PUT": await timed(200, lambda n: client.call("PUT", "/v1/kv/bench/one", value + str(n).encode())),
        "txn of 64": await timed(60, lambda n: client.call("PUT", "/v1/txn", transaction(1000 * seed + n))),
        "recurse of 1k": await timed(60, lambda _: client.call("GET", "/v1/kv/bench/tree/?recurse")),
        "wake-up": await timed(60, lambda n: wake_up(client, value + str(n).encode())),
    }


async def wake_up(client: Client, value: bytes) -> None:
    """Write and wait until a blocking query of the subtree has seen it."""
    index, _ = await client.call("GET", "/v1/kv/bench/wake/?recurse")
    parked = asyncio.create_task(client.call("GET", f"/v1/kv/bench/wake/?recurse&index={index}&wait=60s"))
    await client.call("GET", "/v1/kv/bench/wake/key")  # the query is on its way
    await client.call("PUT", "/v1/kv/bench/wake/key", value)
    await parked


async def fill(client: Client) -> None:
    await client.call("PUT", "/v1/kv/bench/wake/key", b"0")
    for number in range(1000):
        await client.call("PUT", f"/v1/kv/bench/tree/{number}", VALUE)


@contextlib.asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[tuple[str, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, str(folder / "embedded.db"), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip(), process.pid
    finally:
        process.kill()
        await process.wait()


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


async def main() -> None:
    with tempfile.TemporaryDirectory() as name, start_agent(data_dir=Path(name) / "consul") as consul:
        async with (
            embedded(Path(name)) as (address, pid),
            aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}) as session,
        ):
            ours, theirs = Client(session, address), Client(session, consul.address)
            await fill(ours)
            await fill(theirs)
            rounds = [(await measure(ours, seed), await measure(theirs, seed)) for seed in range(ROUNDS)]
            print(f"{'':16}{'embedded ms':>12}{'Consul ms':>12}{'ratio':>8}{'target':>8}")
            for work, target in TARGETS.items():
                mine = statistics.median(each[work] for each, _ in rounds)
                other = statistics.median(each[work] for _, each in rounds)
                print(f"{work:16}{mine:12.2f}{other:12.2f}{mine / other:8.2f}{target:8.1f}")
            print(f"resident memory of the embedded store: {resident(pid)} MB")


if __name__ == "__main__":
    uvloop.run(main())
