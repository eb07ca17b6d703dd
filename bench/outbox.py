"""One change to 1,000 signed webhooks through journal and outbox, on disk; and a commit to the last of 100 webhooks.

.venv/bin/python bench/outbox.py [SUBSCRIBERS]

The first is timed from the change being known: the event goes into the journal (fsynced), to every subscriber, and
each acknowledgement into the outbox. The bare client is that of ``bench/fanout.py``, against the same receiver, taking
turns. The second is a real daemon on a disk-backed Consul: from the branch's ref being renamed into place to the last
of 100 receivers having the request.
"""

import asyncio
import base64
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.commit import move_branch, prepare  # noqa: E402  # the path is set above
from bench.fanout import (  # noqa: E402
    TARGET_P99_MS,
    TARGET_RATIO,
    BareFleet,
    Counting,
    connect,
    host,
    p99,
    rate,
    receiving,
    take_turns,
)
from bench.trees import git, write_tree  # noqa: E402
from syncd.core.event import Event, KeyChange, shown  # noqa: E402
from syncd.core.subscriber import Subscriber, Webhook  # noqa: E402
from syncd.daemon.dispatcher import Dispatcher  # noqa: E402
from syncd.daemon.latency import Latency  # noqa: E402
from syncd.daemon.messages import Messages  # noqa: E402
from syncd.daemon.view import View  # noqa: E402
from syncd.fanout.journal import Journal  # noqa: E402
from syncd.fanout.sender import Message  # noqa: E402
from syncd.fanout.tables import Head  # noqa: E402
from syncd.fanout.webhook.webhooks import Webhooks  # noqa: E402
from tests.support.consul import start_agent  # noqa: E402
from tests.support.process import running  # noqa: E402

COMMITS, HOOKS, TARGET_COMMIT_MS = 40, 100, 60


class Counted(Latency):
    """Counts deliveries where it is measured how long they took."""

    count: Callable[[], None] = staticmethod(lambda: None)

    def observe(self, seconds: float) -> None:
        super().observe(seconds)
        self.count()


class OutboxFleet:
    """Everything from a change to its acknowledgements."""

    def __init__(self, journal: Journal, count: int, port: int, secrets: list[str]) -> None:
        self._journal = journal
        self._count = count
        view, webhooks = View(), Webhooks(wall_clock=time.time)
        view.ready = True
        self.dispatcher = Dispatcher(
            journal,
            Messages(journal, view, "config/mordomo"),
            lambda subscriber: webhooks.sender(subscriber.target),  # type: ignore[arg-type]  # all are webhooks
            now=time.time,
            draw=random.random,
            draw_id=lambda: "id",
        )
        self._counted = self.dispatcher._tries.latency = Counted()  # noqa: SLF001  # the one place they all come by
        self._subscribers = [
            Subscriber(f"s{number}", Webhook(f"http://{host(number)}:{port}/", secrets[number % len(secrets)]))
            for number in range(count)
        ]

    def _begin(self) -> Counting:
        counting = Counting(self._count)
        self._counted.count = counting.done
        return counting

    async def start(self) -> None:
        counting = self._begin()
        await self.dispatcher.subscribe(self._subscribers)
        self.dispatcher.begin(leading=True)
        await counting.all()

    async def deliver_all(self, _: Message) -> list[float]:
        counting = self._begin()
        index = self._journal.head.index + 1
        changes = tuple(
            KeyChange(f"brain/key_{n}", "update", b"old", b"new", shown(b"old"), shown(b"new"), "brain.yaml:2:1")
            for n in range(2)
        )
        event = Event(f"bench-{index}", "revision", "bench", index, time.time(), changes, len(changes))
        head = Head(self._journal.head.seq, self._journal.head.id, "bench", index, "c", index)
        told = await self._journal.publish(event, head, [], now=time.time())
        assert told is not None
        self.dispatcher.publish(told)
        return await counting.all()


async def throughput(count: int, port: int, secrets: list[str], folder: Path) -> None:
    bare = [await connect(host(number), port) for number in range(count)]
    journal = Journal.open(folder)
    fleet = OutboxFleet(journal, count, port, secrets)
    await fleet.start()
    gc.freeze()  # as every command does
    found = await take_turns({"bare": BareFleet(bare), "syncd": fleet})
    shared = "one secret for all, as services of the catalog have" if len(secrets) == 1 else "a secret for each"
    print(f"one change to {count} webhooks through the outbox on disk, signed, {shared}; medians")
    for name, (rounds, spent) in found.items():
        cost = spent / len(rounds) / count * 1e6
        print(f"  {name:6} {rate(rounds):7,.0f} deliveries/s, p99 {p99(rounds):5.1f} ms, CPU {cost:.1f} us a delivery")
    print(f"  {rate(found['syncd'][0]) / rate(found['bare'][0]):.2f} of the bare client (target {TARGET_RATIO:g})")
    print(f"  p99 {p99(found['syncd'][0]):.1f} ms (target under {TARGET_P99_MS:g} ms)")
    await fleet.dispatcher.close()
    await journal.close()


class Arrivals(asyncio.Protocol):
    """Counts requests as they come whole, and answers them."""

    count = 0
    complete = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]):
            return
        self._data = b""
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]  # a TCP transport
        Arrivals.count += 1
        if Arrivals.count % HOOKS == 0:
            Arrivals.complete.set()


async def commit_to_the_last(folder: Path) -> None:
    work, repository, home = folder / "work", folder / "bare.git", folder / "home"
    work.mkdir()
    home.mkdir()
    write_tree(work, 1000)
    start = git(work, "rev-parse", "HEAD")
    commits = prepare(work, COMMITS)
    git(folder, "clone", "-q", "--bare", str(work), str(repository))
    move_branch(repository, start)
    server = await asyncio.get_running_loop().create_server(Arrivals, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hooks = [f'[[subscriber]]\nname = "s{n}"\nwebhook = "http://127.0.0.1:{port}/{n}"\n' for n in range(HOOKS)]
    (repository / "syncd.toml").write_text('[http]\nlisten = "127.0.0.1:0"\n' + "".join(hooks))
    spent = []
    with (
        start_agent(data_dir=folder / "consul") as agent,
        running("run", cwd=repository, home=home, CONSUL_HTTP_ADDR=agent.address),
    ):
        await Arrivals.complete.wait()
        for commit, _ in commits:
            Arrivals.complete.clear()
            await asyncio.sleep(0.2)  # let the daemon come to rest
            before = time.perf_counter()
            move_branch(repository, commit)
            await Arrivals.complete.wait()
            spent.append((time.perf_counter() - before) * 1e3)
    server.close()
    late = sorted(spent)[int(len(spent) * 0.99) - 1]
    print(f"commit to the last of {HOOKS} webhooks: p50 {statistics.median(spent):.1f} ms, p99 {late:.1f} ms")
    print(f"  (target p99 under {TARGET_COMMIT_MS} ms)")


def secret(folder: Path, number: int) -> str:
    """Write a signing secret; return its file."""
    path = folder / f"secret{number}"
    path.write_text("whsec_" + base64.b64encode(os.urandom(32)).decode())
    return str(path)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as temporary:
        with receiving() as port:
            for number, secrets in enumerate((1, count)):
                folder = Path(temporary) / f"journal{number}"
                folder.mkdir()
                files = [secret(folder, each) for each in range(secrets)]
                uvloop.run(throughput(count, port, files, folder))
        uvloop.run(commit_to_the_last(Path(temporary)))


if __name__ == "__main__":
    main()
