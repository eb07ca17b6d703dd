"""One change to 1,000 event streams: syncd's door against a bare asyncio protocol in the same run.

.venv/bin/python bench/streams.py [CLIENTS]

The clients run in another process, over TCP. Each round publishes a burst of events, one in each turn of the loop, and
lasts until every client has read all of it. syncd: aiohttp with its limits, matching, encoding, frames and buffer caps.
Bare: a protocol that writes bytes made beforehand to every transport. Rounds take turns; the ratio is the median of
those of each pair of rounds.
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syncd.core.event import Event, KeyChange, ToldRevision, shown  # noqa: E402  # the path is set above
from syncd.core.subscriber import Filter  # noqa: E402
from syncd.daemon.backlog import Backlog  # noqa: E402
from syncd.daemon.messages import Messages  # noqa: E402
from syncd.daemon.passes import Passes  # noqa: E402
from syncd.daemon.view import View  # noqa: E402
from syncd.fanout.journal import Journal  # noqa: E402
from syncd.fanout.stream import Streams  # noqa: E402
from syncd.web import sockets  # noqa: E402
from syncd.web.connections import Connections, Listener, most_connections  # noqa: E402
from syncd.web.gate import Gate  # noqa: E402
from syncd.web.hosts import Hosts  # noqa: E402

ROUNDS, BURST = 25, 30
TARGET = 0.85
END = b"\n\n"


class Reader(asyncio.Protocol):
    """Counts messages: each ends with an empty line."""

    total = 0

    def data_received(self, data: bytes) -> None:
        Reader.total += data.count(b"event: ")


async def read(port: int, count: int) -> None:
    """Open the streams, then answer each line on standard input by a line once so many messages have come."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        transport, _ = await loop.create_connection(Reader, "127.0.0.1", port)
        transport.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    print("open", flush=True)
    while wanted := int(await loop.run_in_executor(None, sys.stdin.readline) or 0):
        await read_to(wanted)
        print("read", flush=True)


async def read_to(wanted: int) -> None:
    while True:
        if Reader.total >= wanted:
            return
        await asyncio.sleep(0.001)


class Clients:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._wanted = 0

    @classmethod
    async def start(cls, port: int, count: int) -> "Clients":
        pipe = subprocess.PIPE
        command = [sys.executable, __file__, "read", str(port), str(count)]
        clients = cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))
        await clients.line()
        return clients

    async def line(self) -> None:
        assert self._process.stdout is not None
        assert await self._process.stdout.readline()

    async def round(self, publish: Callable[[], None], count: int) -> float:
        """Publish a burst and wait until every client has read it; return the seconds."""
        assert self._process.stdin is not None
        self._wanted += BURST * count
        began = time.perf_counter()
        for _ in range(BURST):
            publish()
            await asyncio.sleep(0)
        self._process.stdin.write(b"%d\n" % self._wanted)
        await self.line()
        return time.perf_counter() - began

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()


class Bare(asyncio.Protocol):
    """A client of the bare server."""

    clients: ClassVar[set[Any]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, _data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        Bare.clients.add(self._transport)


class Door:
    """What of the daemon's door a stream needs."""

    def __init__(self, journal: Journal) -> None:
        self.view = View()
        self.view.ready = True
        self.passes = Passes(time.time)
        self.messages = Messages(journal, self.view, "config/mordomo")
        self.backlog = Backlog(journal, self.messages)
        self.streams = Streams(self.backlog.event)
        self._seq = 0

    async def ready(self) -> None:
        """It is."""

    def publish(self) -> None:
        self._seq += 1
        event = an_event(self._seq)
        self.messages.add(event)
        self.streams.publish(event.seq)


def an_event(seq: int) -> Event:
    value = b"qwen2.5:%db" % seq
    change = KeyChange(
        "brain/model", "update", b"old", value, shown(b"old"), shown(value), "config/mordomo/brain.yaml:1:1"
    )
    revision = ToldRevision(f"{seq:040x}", "main", "Ana <ana@example.org>", "Try another model", 1)
    return Event(f"0123456789abcdef-{seq}", "revision", "0123456789abcdef", seq, 1.0, (change,), 1, revision, seq)


async def measure(count: int) -> None:
    loop = asyncio.get_running_loop()
    with TemporaryDirectory(prefix="syncd-bench-") as folder:
        journal = Journal.open(Path(folder))
        door: Any = Door(journal)
        gate = Gate(door, Hosts(()), None)
        socket = sockets.listen_tcp("127.0.0.1", 0)
        port = socket.getsockname()[1]
        served = await loop.create_server(Listener(gate.answer, Connections(most_connections())), sock=socket)
        bare = await loop.create_server(Bare, "127.0.0.1", 0)
        made = door.backlog.event

        def publish_bare() -> None:
            for transport in Bare.clients:
                transport.write(frame)

        door.messages.add(an_event(1))
        frame = made(Filter(), True, 1)
        clients = [await Clients.start(port, count), await Clients.start(bare.sockets[0].getsockname()[1], count)]
        await until(lambda: len(door.streams) == count and len(Bare.clients) == count)
        works: list[Callable[[], None]] = [door.publish, publish_bare]
        spent: list[list[float]] = [[], []]
        for round_ in range(ROUNDS):
            for place in (0, 1) if round_ % 2 else (1, 0):
                spent[place].append(await clients[place].round(works[place], count))
        await asyncio.gather(*(each.close() for each in clients))
        served.close()
        bare.close()
        await journal.close()
    rates = [BURST * count / statistics.median(each[1:]) for each in spent]
    print(f"{count} streams, bursts of {BURST} events of {len(frame or b'')} bytes")
    print(f"  syncd {rates[0] / 1e3:.0f}k, bare protocol {rates[1] / 1e3:.0f}k messages a second")
    ratio = statistics.median(bare / ours for ours, bare in zip(*(each[1:] for each in spent), strict=True))
    print(f"  {ratio:.2f} of the bare protocol (target at least {TARGET:g})")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    if sys.argv[1:2] == ["read"]:
        uvloop.run(read(int(sys.argv[2]), int(sys.argv[3])))
    else:
        uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))


if __name__ == "__main__":
    main()
