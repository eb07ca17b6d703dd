"""One round over a catalog of 1,000 services of which 100 ask to be told, against a bare client that sends the same.

.venv/bin/python bench/catalog.py [SERVICES]

The bare client is aiohttp with as many requests at once, which throws the answers away. Both take turns, round by
round, against one real Consul. After a round syncd rests for ``discovery.PACE`` times as long as it took: the share of
a CPU is that of a catalog in which something changes all the time.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast
from urllib.parse import quote

import aiohttp
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syncd import log  # noqa: E402  # the path is set above
from syncd.core.subscriber import Subscriber  # noqa: E402
from syncd.daemon import discovery  # noqa: E402
from syncd.daemon.discovery import Discovery  # noqa: E402
from syncd.daemon.dispatcher import Dispatcher  # noqa: E402
from syncd.store.endpoint import resolve_endpoint  # noqa: E402
from syncd.store.store import Store  # noqa: E402
from tests.support.consul import ConsulAgent, start_agent  # noqa: E402

ROUNDS = 9
SERVICES = 1000
ASKING = 10  # every tenth
TARGET_RATIO, TARGET_SHARE = 2.0, 0.05
QUERY = "?filter=" + quote('"syncd-path" in ServiceMeta') + "&stale"


class Counting:
    """Stands where the dispatcher does."""

    told = 0

    async def subscribe(self, subscribers: Iterable[Subscriber], *, whole: bool = True) -> None:
        assert whole
        self.told = len(list(subscribers))


def register(agent: ConsulAgent, services: int) -> None:
    for number in range(services):
        meta = {} if number % ASKING else {"syncd-path": "/x", "syncd-prefix": "brain/"}
        body = json.dumps({"Name": f"service-{number}", "Port": number + 1, "Meta": meta}).encode()
        assert agent.request("PUT", "/v1/agent/service/register", body)[0] == 200


async def bare(session: aiohttp.ClientSession, names: Iterable[str]) -> None:
    gate = asyncio.Semaphore(discovery.PARALLEL)

    async def read(name: str) -> None:
        async with gate, session.get(f"/v1/catalog/service/{name}{QUERY}") as answer:
            await answer.read()

    await asyncio.gather(*(read(name) for name in names))


async def measure(agent: ConsulAgent, services: int) -> bool:
    counting, walls, bares, cpus = Counting(), list[float](), list[float](), list[float]()
    async with (
        Store(resolve_endpoint({}, address=agent.address), "app") as store,
        aiohttp.ClientSession(agent.address, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        following = Discovery(
            store.catalog,
            cast("Dispatcher", counting),
            (),
            (),
            "",
            clock=time.monotonic,
            draw=lambda: 0.5,
        )
        names, _ = await store.catalog.services(0, wait=1)
        for _ in range(ROUNDS):
            began, used = time.perf_counter(), time.process_time()
            await following.look(names)
            walls.append(time.perf_counter() - began)
            cpus.append(time.process_time() - used)
            began = time.perf_counter()
            await bare(session, names)
            bares.append(time.perf_counter() - began)
    assert counting.told == len(range(0, services, ASKING))
    wall, ratio = statistics.median(walls), statistics.median(walls) / statistics.median(bares)
    share = statistics.median(cpus) / (wall + max(discovery.PACE_SECONDS, discovery.PACE * wall))
    print(
        f"{services:,} services: {wall * 1000:.0f} ms a round, {ratio:.2f} of a bare client's (target {TARGET_RATIO})"
    )
    print(f"a catalog that never rests: {share:.1%} of a CPU (target {TARGET_SHARE:.0%})")
    return ratio <= TARGET_RATIO and share <= TARGET_SHARE


def main() -> int:
    log.configure("console", "error")
    services = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with start_agent() as agent:
        register(agent, services)
        return 0 if uvloop.run(measure(agent, services)) else 1


if __name__ == "__main__":
    sys.exit(main())
