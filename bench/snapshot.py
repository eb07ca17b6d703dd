"""Snapshots of 100,000 keys: taking against a bare GET to the disk, looking inside against Consul's own command.

.venv/bin/python bench/snapshot.py [KEYS]

Taking is the whole of ``syncd snapshot take`` but for starting Python: GET, write, verify every record, fsync,
manifest, retention. The bare client streams the same GET into a file and fsyncs it. The time for one key is absolute,
so of several the shortest counts: the others say how busy the machine was.
"""

import asyncio
import base64
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syncd.settings import load  # noqa: E402  # the path is set above
from syncd.wiring.snapshots import open_snapshots  # noqa: E402
from tests.support.consul import ConsulAgent, consul_binary, start_agent  # noqa: E402

ROUNDS = 5
TAKE, INSPECT, SHOW_SECONDS, MEMORY = 1.3, 2.5, 0.3, 64 * 1024  # KiB


def fill(agent: ConsulAgent, keys: int) -> None:
    """Write keys with values of about 150 bytes that squeeze to half."""
    draw = random.Random(1)
    for start in range(0, keys, 64):
        operations = [
            {
                "KV": {
                    "Verb": "set",
                    "Key": name(number),
                    "Value": base64.b64encode(draw.randbytes(75).hex().encode()).decode(),
                }
            }
            for number in range(start, min(keys, start + 64))
        ]
        assert agent.request("PUT", "/v1/txn", json.dumps(operations).encode())[0] == 200


def name(number: int) -> str:
    return f"config/mordomo/part{number // 1000:03}/service{number % 1000:03}/setting"


async def take(address: str, folder: Path) -> float:
    flags: dict[str, object] = {"snapshots.directory": str(folder), "store.address": address}
    settings = load(flags, {"HOME": str(folder), "SYNCD_SNAPSHOTS_KEEP_LAST": "1"}, folder)
    async with open_snapshots(settings, {}) as snapshots:
        before = time.perf_counter()
        await snapshots.take(time.time(), lambda _: None)
        return time.perf_counter() - before


async def bare(address: str, folder: Path) -> float:
    async with aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}) as session:
        before = time.perf_counter()
        with (folder / "bare").open("wb") as file:
            async with session.get(f"{address}/v1/snapshot") as answer:
                async for piece in answer.content.iter_chunked(256 * 1024):
                    file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        return time.perf_counter() - before


def timed(*command: str) -> float:
    before = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def in_turns(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    first(), second()
    pairs = [(first(), second()) for _ in range(ROUNDS)]  # in turns: the machine's mood hits both
    one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
    return one, two


def memory(address: str, folder: Path) -> int:
    """Tell by how many KiB a process's peak grows while it takes one, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--memory", address, str(folder)], check=True, capture_output=True)
    return int(done.stdout)


def peak() -> int:
    """Tell this process's highest resident size in KiB; getrusage's would begin with that of who started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> int:
    if "--memory" in sys.argv:
        idle = peak()
        uvloop.run(take(sys.argv[2], Path(sys.argv[3])))
        print(peak() - idle)
        return 0
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as place:
        folder = Path(place)
        with start_agent(data_dir=folder / "consul") as agent:
            fill(agent, keys)
            kept = folder / "kept"
            kept.mkdir()
            took, fetched = in_turns(
                lambda: uvloop.run(take(agent.address, kept)), lambda: asyncio.run(bare(agent.address, folder))
            )
            grew = memory(agent.address, kept)
        theirs, (ours, *_) = folder / "bare", sorted(kept.glob("*.snap"))
        syncd = (sys.executable, "-m", "syncd", "snapshot")
        looked, consul = in_turns(
            lambda: timed(*syncd, "inspect", str(theirs)),
            lambda: timed(consul_binary(), "snapshot", "inspect", str(theirs)),
        )
        shown = min(timed(*syncd, "show", str(ours), name(keys - 1)) for _ in range(ROUNDS))
    results = (
        (f"take and verify {took * 1000:.0f} ms, bare GET to disk {fetched * 1000:.0f} ms", took / fetched, TAKE),
        (f"inspect {looked * 1000:.0f} ms, consul's own {consul * 1000:.0f} ms", looked / consul, INSPECT),
        (f"the last key out of {keys:,}, {shown * 1000:.0f} ms", shown, SHOW_SECONDS),
        (f"peak memory {grew / 1024:.0f} MiB above idle", grew, MEMORY),
    )
    for said, found, target in results:
        print(f"{said}: {found:,.2f}, under {target:,}: {'ok' if found < target else 'TOO MUCH'}")
    return int(any(found >= target for _, found, target in results))


if __name__ == "__main__":
    sys.exit(main())
