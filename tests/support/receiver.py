"""A receiver of webhooks that does what a test tells it, request by request::

    async with receiver(reply(503, b"Retry-After: 7\\r\\n"), hang) as there:  # the last step stays
        sender = webhooks.sender(Webhook(there.url))
        ...
        assert there.requests[0].headers["webhook-id"] == "m1"

Without a script it answers 204. A step is ``async def step(visit: Visit) -> None``.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Got:
    """A request as it came; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Visit:
    """One request in its connection."""

    got: Got
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()


Step = Callable[[Visit], Awaitable[None]]


@dataclass
class Receiver:
    """``connections`` were ever made, ``open`` are open now."""

    scheme: str
    host: str
    script: list[Step]
    port: int = 0
    requests: list[Got] = field(default_factory=list)
    connections: int = 0
    open: int = 0

    @property
    def url(self) -> str:
        return self.at(f"[{self.host}]" if ":" in self.host else self.host)

    def at(self, host: str, target: str = "/hook") -> str:
        return f"{self.scheme}://{host}:{self.port}{target}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    got = await _read(reader)
                    self.requests.append(got)
                    step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    await step(Visit(got, reader, writer))
        finally:
            self.open -= 1
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
    return Got(method, target, headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiver(
    *script: Step, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Receive until the test is over."""
    there = Receiver("https" if tls else "http", host, list(script) or [reply(204)])
    serving = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await there.serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            serving.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
        await server.wait_closed()


def reply(status: int, headers: bytes = b"", body: bytes = b"") -> Step:
    """Answer and keep the connection."""
    length = b"" if status == 204 else b"Content-Length: %d\r\n" % len(body)
    return raw(b"HTTP/1.1 %d Whatever\r\n%b%b\r\n%b" % (status, length, headers, body))


def raw(text: bytes) -> Step:
    """Say exactly this."""

    async def say(visit: Visit) -> None:
        await visit.say(text)

    return say


async def hang(visit: Visit) -> None:
    """Never answer, until the other side has had enough."""
    await visit.reader.read()


def drip(text: bytes) -> Step:
    """Say a byte, again and again, and never come to an end."""

    async def say(visit: Visit) -> None:
        for number in range(len(text)):
            await visit.say(text[number : number + 1])
            await asyncio.sleep(0.01)
        await hang(visit)

    return say


def flood(head: bytes) -> Step:
    """Say the head, then send for as long as anybody reads."""

    async def say(visit: Visit) -> None:
        await visit.say(head)
        while True:
            await visit.say(b"x" * 65536)

    return say


def then_reset(text: bytes = b"") -> Step:
    """Say this, then reset the connection."""

    async def say(visit: Visit) -> None:
        if text:
            await visit.say(text)
        there = visit.writer.get_extra_info("socket")
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        visit.writer.transport.abort()

    return say


def then_close(text: bytes) -> Step:
    """Say this, then close."""

    async def say(visit: Visit) -> None:
        await visit.say(text)
        visit.writer.close()

    return say
