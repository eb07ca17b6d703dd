"""A long day compressed: a million foreign writes through a real daemon to ten webhooks. Is memory flat?

.venv/bin/python bench/soak.py [CHANGES]

A disk-backed Consul; transactions of 64 writes go over 20,000 keys again and again, as fast as the daemon's subscribers
keep up: the writer waits while what was last written has not been told. Resident memory is read after a tenth and at
the end; the journal's size at the end.
"""

import asyncio
import base64
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.commit import resident_mb  # noqa: E402  # the path is set above
from bench.trees import write_tree  # noqa: E402
from tests.support.consul import start_agent  # noqa: E402
from tests.support.process import running  # noqa: E402

KEYS, BATCH, HOOKS = 20_000, 64, 10
AHEAD = 6_400
"""So many writes may be ahead of what was told."""
TARGET_PERCENT, TARGET_JOURNAL_MB = 5, 200


class Told:
    """What the webhooks were told: the highest number of any value, and how many deliveries and changes."""

    def __init__(self) -> None:
        self.newest = [0] * HOOKS
        self.deliveries = self.changes = 0
        self.moved = asyncio.Event()

    def take(self, hook: int, event: dict[str, Any]) -> None:
        changes = event["data"]["changes"]
        self.deliveries += 1
        self.changes += event["data"]["count"]
        numbers = [int(each["new"]) for each in changes if each.get("new", "").isdecimal()]
        self.newest[hook] = max(self.newest[hook], *numbers, 0) if numbers else self.newest[hook]
        if event["data"]["detail"] != "full":
            self.newest[hook] = 1 << 60  # only names: everything up to now
        self.moved.set()


class Receiving(asyncio.Protocol):
    def __init__(self, told: Told) -> None:
        self._told = told
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._data[:end])
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
        if len(self._data) < end + 4 + length:
            return
        body = bytes(self._data[end + 4 : end + 4 + length])
        self._data.clear()
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]  # a TCP transport
        self._told.take(int(head.split(b" ")[1][1:]), json.loads(body))


def body_of(first: int) -> bytes:
    operations = [
        {
            "KV": {
                "Verb": "set",
                "Key": f"config/mordomo/soak/f{number % KEYS // 500}/k{number % KEYS}",
                "Value": base64.b64encode(str(number).encode()).decode(),
            }
        }
        for number in range(first, first + BATCH)
    ]
    return json.dumps(operations).encode()


async def write(address: str, changes: int, told: Told, sample: Any) -> None:  # noqa: ANN401  # a callable
    async with aiohttp.ClientSession() as session:
        for first in range(1, changes, BATCH):
            async with session.put(f"{address}/v1/txn", data=body_of(first)) as answer:
                assert answer.status == 200, await answer.text()
            while first + BATCH - min(told.newest) > AHEAD:
                told.moved.clear()
                await told.moved.wait()
            if first // BATCH % (changes // BATCH // 10) == 0:
                sample(first)
        while min(told.newest) < changes - BATCH:
            told.moved.clear()
            await told.moved.wait()


async def measure(changes: int, folder: Path) -> None:
    repository, home, told = folder / "repository", folder / "home", Told()
    repository.mkdir()
    home.mkdir()
    write_tree(repository, 1000)
    server = await asyncio.get_running_loop().create_server(lambda: Receiving(told), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hooks = [f'[[subscriber]]\nname = "s{n}"\nwebhook = "http://127.0.0.1:{port}/{n}"\n' for n in range(HOOKS)]
    (repository / "syncd.toml").write_text('[http]\nlisten = "127.0.0.1:0"\n' + "".join(hooks))
    state = folder / "state"
    with (
        start_agent(data_dir=folder / "consul") as agent,
        running(
            "run", "--state-directory", str(state), cwd=repository, home=home, CONSUL_HTTP_ADDR=agent.address
        ) as daemon,
    ):
        daemon.wait_for_output("applied")
        samples: list[tuple[int, float]] = []
        began = time.perf_counter()
        await write(agent.address, changes, told, lambda done: samples.append((done, resident_mb(daemon.process.pid))))
        spent = time.perf_counter() - began
        memory = resident_mb(daemon.process.pid)
        journal = sum(path.stat().st_size for path in state.glob("journal.db*")) / 1e6
    early = samples[1][1]
    print(f"{changes:,} foreign writes in {spent:.0f} s, told to {HOOKS} webhooks")
    print(f"  {told.deliveries:,} deliveries of {told.changes:,} keys")
    print("  resident MB: " + ", ".join(f"{mb:.0f}" for _, mb in samples) + f", {memory:.0f}")
    growth = (memory / early - 1) * 100
    print(
        f"  after a tenth {early:.0f} MB, at the end {memory:.0f}: {growth:+.1f} % (target within {TARGET_PERCENT} %)"
    )
    print(f"  journal {journal:.0f} MB (target under {TARGET_JOURNAL_MB} MB)")
    server.close()


def main() -> None:
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        uvloop.run(measure(changes, Path(temporary)))


if __name__ == "__main__":
    main()
