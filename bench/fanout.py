"""One change to 1,000 webhooks, signed, each on a loopback host of its own; and 20 of 200 that hang.

.venv/bin/python bench/fanout.py [SUBSCRIBERS]

The bare client is a minimal asyncio protocol on httptools that posts the same body behind a head of the same size,
made once: no signature, no time, no deadline, no check of anything. Both take turns, round by round, against one
receiver (bench/receiver.py) in a process of its own. Timed is from the moment that the change is known to each
delivery's end, on connections that are kept.
"""

import asyncio
import base64
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import httptools
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syncd.core.subscriber import Webhook  # noqa: E402  # the path is set above
from syncd.fanout.sender import Message, Result  # noqa: E402
from syncd.fanout.webhook.sender import WebhookSender  # noqa: E402
from syncd.fanout.webhook.webhooks import Webhooks  # noqa: E402

ROUNDS = 60
BODY = (b'{"specversion":"1.0","type":"syncd.changed","data":{"changes":[' + b'"brain/model",' * 60 + b'""]}}').ljust(
    1000
)
HEAD = (
    b"POST / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: syncd/0.1.0\r\nContent-Type: application/cloudevents+json\r\n"
    b"Content-Length: %d\r\nwebhook-id: bench-10\r\nwebhook-timestamp: 1700000000\r\nwebhook-signature: %b\r\n\r\n"
) % (len(BODY), b"v1," + b"A" * 44)
ALL, HUNG = 200, 20
TARGET_RATIO, TARGET_P99_MS, TARGET_GROWTH_MS = 0.7, 45, 50


class Fleet(Protocol):
    """Subscribers that can all be told of one change."""

    async def deliver_all(self, message: Message) -> list[float]:
        """Tell everybody; return when each delivery ended, in seconds from the start."""
        ...


class Bare(asyncio.Protocol):
    """The least that posts and reads a reply."""

    def __init__(self, host: str) -> None:
        self._head = HEAD.replace(b"HOST", host.encode())
        self._parser = httptools.HttpResponseParser(self)
        self.done: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, done: Callable[[], None]) -> None:
        self.done = done
        self._transport.write(self._head + BODY)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._parser.get_status_code() == 204
        self.done()


class Counting:
    """Collects when deliveries end, without a future for each."""

    def __init__(self, expected: int) -> None:
        self._missing = expected
        self._all = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self.times: list[float] = []

    def done(self) -> None:
        self.times.append(time.perf_counter() - self._began)
        self._missing -= 1
        if not self._missing:
            self._all.set_result(None)

    def delivered(self, result: Result) -> None:
        assert result.outcome == "delivered", result
        self.done()

    async def all(self) -> list[float]:
        await self._all
        return self.times


class BareFleet:
    def __init__(self, clients: list[Bare]) -> None:
        self._clients = clients

    async def deliver_all(self, _: Message) -> list[float]:
        counting = Counting(len(self._clients))
        for client in self._clients:
            client.send(counting.done)
        return await counting.all()


class OurFleet:
    """The senders alone; ``hung`` ones are told too, and nobody waits for them."""

    def __init__(self, senders: list[WebhookSender], hung: list[WebhookSender]) -> None:
        self._senders = senders
        self._hung = hung
        self._busy = set[WebhookSender]()

    async def deliver_all(self, message: Message) -> list[float]:
        counting = Counting(len(self._senders))
        for sender in self._hung:
            if sender not in self._busy:
                self._busy.add(sender)
                sender.send(message, partial(self._free, sender))
        for sender in self._senders:
            sender.send(message, counting.delivered)
        return await counting.all()

    def _free(self, sender: WebhookSender, _: Result) -> None:
        self._busy.discard(sender)


def host(number: int) -> str:
    return f"127.0.{number // 250}.{number % 250 + 1}"


def senders(
    webhooks: Webhooks, count: int, port: int, secret_file: str, path: str, first: int = 0
) -> list[WebhookSender]:
    """Make senders; those that hang give up after a second, so that they are told again and again."""
    timeout = 1.0 if path == "/hang" else 15.0
    return [
        webhooks.sender(Webhook(f"http://{host(first + number)}:{port}{path}", secret_file, timeout))
        for number in range(count)
    ]


async def connect(to: str, port: int) -> Bare:
    return (await asyncio.get_running_loop().create_connection(lambda: Bare(to), to, port))[1]


async def take_turns(fleets: dict[str, Fleet]) -> dict[str, tuple[list[list[float]], float]]:
    """Return for each fleet the times of each round, and the CPU seconds of all."""
    times: dict[str, list[list[float]]] = {name: [] for name in fleets}
    spent = dict.fromkeys(fleets, 0.0)
    for number in range(-3, ROUNDS):
        for name, fleet in fleets.items():
            before = time.process_time()
            found = await fleet.deliver_all(Message(f"bench-{number}", BODY))
            if number >= 0:  # what came before was for connections to be made
                spent[name] += time.process_time() - before
                times[name].append(found)
            await asyncio.sleep(0.02)
    return {name: (times[name], spent[name]) for name in fleets}


def rate(rounds: list[list[float]]) -> float:
    return statistics.median(len(each) / max(each) for each in rounds)


def p99(rounds: list[list[float]]) -> float:
    """Return the median over the rounds of the round's p99, in milliseconds."""
    return statistics.median(sorted(each)[int(len(each) * 0.99) - 1] for each in rounds) * 1e3


async def throughput(webhooks: Webhooks, count: int, port: int, secret_file: str) -> None:
    bare = [await connect(host(number), port) for number in range(count)]
    ours = senders(webhooks, count, port, secret_file, "/")
    found = await take_turns({"bare": BareFleet(bare), "syncd": OurFleet(ours, [])})
    print(f"one change to {count} webhooks, signed, {ROUNDS} rounds, medians")
    for name, (rounds, spent) in found.items():
        cost = spent / ROUNDS / count * 1e6
        print(f"  {name:6} {rate(rounds):7,.0f} deliveries/s, p99 {p99(rounds):5.1f} ms, CPU {cost:.1f} us a delivery")
    print(f"  {rate(found['syncd'][0]) / rate(found['bare'][0]):.2f} of the bare client (target {TARGET_RATIO:g})")
    print(f"  {found['bare'][1] / found['syncd'][1]:.2f} of the bare client by CPU")
    print(f"  p99 {p99(found['syncd'][0]):.1f} ms (target under {TARGET_P99_MS:g} ms)")
    for sender in ours:
        await sender.close()


async def isolation(webhooks: Webhooks, port: int, secret_file: str) -> None:
    well = ALL - HUNG
    alone = senders(webhooks, well, port, secret_file, "/")
    beside = senders(webhooks, well, port, secret_file, "/")
    hung = senders(webhooks, HUNG, port, secret_file, "/hang", first=well)
    found = await take_turns({"without": OurFleet(alone, []), "with": OurFleet(beside, hung)})
    without, beside_hung = p99(found["without"][0]), p99(found["with"][0])
    print(f"{HUNG} of {ALL} hang: p99 of the others {beside_hung:.1f} ms, without the hung ones {without:.1f} ms")
    print(f"  {beside_hung - without:.1f} ms more (target under {TARGET_GROWTH_MS:g} ms)")
    for sender in (*alone, *beside, *hung):
        await sender.close()


@contextmanager
def receiving() -> Iterator[int]:
    """Run the receiver; yield its port."""
    program = [sys.executable, str(ROOT / "bench/receiver.py")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


async def measure(count: int) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="syncd-bench-") as secret:
        secret.write("whsec_" + base64.b64encode(os.urandom(32)).decode())
        secret.flush()
        with receiving() as port:
            webhooks = Webhooks(wall_clock=time.time)
            await throughput(webhooks, count, port, secret.name)
            await isolation(webhooks, port, secret.name)


def main() -> None:
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))


if __name__ == "__main__":
    main()
