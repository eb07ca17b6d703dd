"""Full load into an empty, disk-backed Consul: syncd (plan and guards included) against a bare client and the CLI.

.venv/bin/python bench/load.py [KEYS ...]

syncd reads the tree first (that is ``bench/parse.py``'s matter); timed is from the full read of the store to the record
that says applied. The bare client sends the same keys in transactions of 64, 8 in flight, bodies made beforehand. They
take turns, and what counts is the median of each round's ratio: a disk changes its mind from minute to minute.
"""

import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.trees import write_tree  # noqa: E402  # the path is set above
from syncd.core.control import Control  # noqa: E402
from syncd.settings import load  # noqa: E402
from syncd.wiring.parts import open_parts  # noqa: E402
from tests.support.consul import ConsulAgent, consul_binary, start_agent  # noqa: E402

ROUNDS = {10_000: 15}
"""The smaller load is over in a sixth of a second, in which a disk that is busy elsewhere weighs heavily."""
FEWEST_ROUNDS = 5
IN_FLIGHT = 8
TARGET_BARE, TARGET_IMPORT = 0.85, 30


async def load_with_syncd(repository: Path, agent: ConsulAgent, state: Path) -> float:
    flags: dict[str, object] = {"source.repository": str(repository), "state_directory": str(state)}
    settings = load(flags, {"HOME": str(state)}, repository)
    async with open_parts(settings, {}, address=agent.address, stateful=True) as parts:
        tip = await parts.source.read()
        lease = parts.lease()
        reconciler = parts.reconciler(lease)
        before = time.perf_counter()
        outcome = await reconciler.reconcile(tip, Control())
        spent = time.perf_counter() - before
        assert outcome.result == "applied", outcome.result
        await lease.resign()
        return spent


async def load_bare(bodies: list[bytes], agent: ConsulAgent) -> float:
    headers = {"Accept-Encoding": "identity"}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
        )
        pending = iter(bodies)

        async def drain() -> None:
            for body in pending:
                async with session.put(f"{agent.address}/v1/txn", data=body) as answer:
                    await answer.read()
                    assert answer.status == 200, answer.status

        before = time.perf_counter()
        await asyncio.gather(*(drain() for _ in range(IN_FLIGHT)))
        return time.perf_counter() - before


def bare_bodies(values: Mapping[str, bytes]) -> list[bytes]:
    operations = [
        {"KV": {"Verb": "set", "Key": f"config/mordomo/{key}", "Value": base64.b64encode(value).decode()}}
        for key, value in values.items()
    ]
    return [json.dumps(operations[start : start + 64]).encode() for start in range(0, len(operations), 64)]


def load_with_cli(values: Mapping[str, bytes], agent: ConsulAgent, folder: Path) -> float:
    export = [
        {"key": f"config/mordomo/{key}", "flags": 0, "value": base64.b64encode(value).decode()}
        for key, value in values.items()
    ]
    (folder / "export.json").write_text(json.dumps(export))
    command = [consul_binary(), "kv", "import", f"@{folder / 'export.json'}"]
    before = time.perf_counter()
    subprocess.run(
        command, env={**os.environ, "CONSUL_HTTP_ADDR": agent.address}, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - before


async def tree_values(repository: Path) -> dict[str, bytes]:
    settings = load({"source.repository": str(repository)}, {"HOME": str(repository)}, repository)
    async with open_parts(settings, {}, address="127.0.0.1:1") as parts:
        revision = await parts.source.read()
        return {key: entry.value for key, entry in revision.tree.desired.keys.items()}


def fresh(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


def measure(keys: int) -> None:
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        folder = Path(temporary)
        repository = fresh(folder, "repository")
        write_tree(repository, keys)
        values = uvloop.run(tree_values(repository))
        bodies = bare_bodies(values)
        ours, bare = [], []
        for round_ in range(ROUNDS.get(keys, FEWEST_ROUNDS)):
            with start_agent(data_dir=fresh(folder, f"a{round_}")) as agent:
                bare.append(uvloop.run(load_bare(bodies, agent)))
            with start_agent(data_dir=fresh(folder, f"b{round_}")) as agent:
                ours.append(uvloop.run(load_with_syncd(repository, agent, fresh(folder, f"s{round_}"))))
        few = dict(list(values.items())[: min(keys, 10_000)])
        with start_agent(data_dir=fresh(folder, "c")) as agent:
            cli = load_with_cli(few, agent, folder) * keys / len(few)
    mine, theirs = statistics.median(ours), statistics.median(bare)
    paired = statistics.median(before / after for before, after in zip(bare, ours, strict=True))
    print(f"{keys} keys: syncd {keys / mine:,.0f}/s, bare {keys / theirs:,.0f}/s, consul kv import {keys / cli:,.0f}/s")
    print(f"  of the bare client, round by round: {paired:.2f} (target {TARGET_BARE})")
    print(f"  times consul kv import: {cli / mine:.0f} (target {TARGET_IMPORT})")


def main() -> None:
    for keys in [int(word) for word in sys.argv[1:]] or [10_000, 100_000]:
        measure(keys)


if __name__ == "__main__":
    main()
