"""A TCP proxy between a client and a store, for faults on the way.

It runs on a thread of its own, so that blocking tests, asyncio tests and daemons in processes of their own all can use
it. It understands enough HTTP to tell one request from the next; what it passes on is byte for byte what came. A rule
says which requests meet which fault; the first rule that matches takes the request::

    with proxy_to(consul.address) as proxy:
        store = Store(resolve_endpoint({}, address=proxy.address), prefix)

        proxy.when(request_to("PUT", "/v1/txn"), drop_reply)             # once: done, but the client never hears
        proxy.when(request_to("GET", "/v1/kv/"), cut(100), times=3)      # 100 bytes of the body, then a reset
        proxy.when(anything, answer(500, b"No cluster leader"), skip=4)  # the fifth request
        proxy.when(request_to("PUT", "/v1/txn"), before(agent.kill))     # the agent dies as the batch arrives
        proxy.when(anything, storm(seed, answer(429), answer(503), reset, share=0.5), times=None)

        gate = Gate()                                    # a batch that hangs on the wire ...
        proxy.when(request_to("PUT", "/v1/txn"), held(gate))
        await gate.arrived()                             # ... (gate.wait_arrived() in a blocking test)
        gate.release()                                   # ... and lands later, even if its client has gone
        assert (await gate.outcome()).status == 409      # what the store said to it

        proxy.partition()                                # nothing passes in either direction, nothing is closed
        proxy.partition(requests=False)                  # one way: requests arrive, replies do not
        proxy.heal()

        assert [each.path for each in proxy.seen("PUT")] == ["/v1/txn"]

A fault is ``async def fault(exchange: Exchange) -> None``; write others like those below from ``exchange.forward()``,
``exchange.reply(...)`` and ``exchange.reset()``.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

Value = TypeVar("Value")

TIMEOUT: Final = 20.0


@dataclass(frozen=True)
class Request:
    """A request as it came; ``number`` counts all that this proxy has seen, from 1."""

    number: int
    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Reply:
    """What the store said; ``body`` is as on the wire, with the marks of chunks if it came in chunks."""

    status: int
    head: bytes
    body: bytes


Predicate = Callable[[Request], bool]
Fault = Callable[["Exchange"], Awaitable[None]]


# -- which requests


def anything(_: Request) -> bool:
    return True


def request_to(method: str, path: str = "/", *, query: str = "") -> Predicate:
    """Match a method, a path that begins so and, if named, text in the query (``index=`` for blocking queries)."""
    return lambda request: request.method == method and request.path.startswith(path) and query in request.query


# -- faults


async def passing(exchange: "Exchange") -> None:
    """No fault."""
    await exchange.reply(await exchange.forward())


async def reset(exchange: "Exchange") -> None:
    """Reset the connection; the store never sees the request."""
    exchange.reset()


async def silent(exchange: "Exchange") -> None:
    """Take the request and never answer; the store never sees it."""
    await exchange.gone()


async def drop_reply(exchange: "Exchange") -> None:
    """Let the store do it, then reset the connection instead of replying."""
    await exchange.forward()
    exchange.reset()


async def lose_reply(exchange: "Exchange") -> None:
    """Let the store do it, then say nothing for ever."""
    await exchange.forward()
    await exchange.gone()


def cut(size: int, *, reset: bool = True) -> Fault:
    """Reply with the head and ``size`` bytes of the body, then reset the connection (or close it in order)."""

    async def fault(exchange: "Exchange") -> None:
        reply = await exchange.forward()
        await exchange.send(reply.head + reply.body[:size])
        exchange.reset() if reset else exchange.close()

    return fault


def drip(*, every: float = 1.0, size: int = 1) -> Fault:
    """Reply ``size`` bytes at a time."""

    async def fault(exchange: "Exchange") -> None:
        reply = await exchange.forward()
        text = reply.head + reply.body
        for start in range(0, len(text), size):
            await exchange.send(text[start : start + size])
            await asyncio.sleep(every)

    return fault


def answer(status: int, body: bytes = b"", *, headers: str = "") -> Fault:
    """Answer in the store's place, which never sees the request; ``headers`` as on the wire, each with ``\\r\\n``."""

    async def fault(exchange: "Exchange") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await exchange.reply(Reply(status, head.encode(), body))

    return fault


def rewrite(change: Callable[[Reply], Reply]) -> Fault:
    """Reply with what ``change`` makes of the store's reply."""

    async def fault(exchange: "Exchange") -> None:
        await exchange.reply(change(await exchange.forward()))

    return fault


def before(callback: Callable[[], object]) -> Fault:
    """Call back (on the proxy's thread) before the request is passed on."""

    async def fault(exchange: "Exchange") -> None:
        callback()
        await passing(exchange)

    return fault


def after(callback: Callable[[], object]) -> Fault:
    """Call back (on the proxy's thread) when the store has replied, before the client hears."""

    async def fault(exchange: "Exchange") -> None:
        reply = await exchange.forward()
        callback()
        await exchange.reply(reply)

    return fault


def held(gate: "Gate") -> Fault:
    """Hold the request on the wire until the gate is released; it lands then whether its client waits or not."""

    async def fault(exchange: "Exchange") -> None:
        exchange.outlive = True
        _set(gate._arrived, exchange.request)
        await _shared(gate._open)
        reply = await exchange.forward()
        _set(gate._outcome, reply)
        await exchange.reply(reply)

    return fault


def hung(gate: "Gate") -> Fault:
    """Break the client's connection at once, but hold the request on the wire; it lands when the gate is released."""

    async def fault(exchange: "Exchange") -> None:
        exchange.outlive = True
        exchange.reset()
        _set(gate._arrived, exchange.request)
        await _shared(gate._open)
        _set(gate._outcome, await exchange.forward())

    return fault


def held_reply(gate: "Gate") -> Fault:
    """Let the store do it, but hold the reply until the gate is released."""

    async def fault(exchange: "Exchange") -> None:
        exchange.outlive = True
        reply = await exchange.forward()
        _set(gate._outcome, reply)
        _set(gate._arrived, exchange.request)
        await _shared(gate._open)
        await exchange.reply(reply)

    return fault


def storm(seed: int, *faults: Fault, share: float = 0.5) -> Fault:
    """Hit a share of the requests, each with one of the faults; the same seed hits the same ones."""
    dice = random.Random(seed)

    async def fault(exchange: "Exchange") -> None:
        hit = dice.choice(faults) if dice.random() < share else passing
        await hit(exchange)

    return fault


class Gate:
    """Where a held request waits; usable from the test's thread, blocking or awaiting."""

    def __init__(self) -> None:
        self._arrived: Future[Request] = Future()
        self._open: Future[None] = Future()
        self._outcome: Future[Reply] = Future()

    def release(self) -> None:
        _set(self._open, None)

    async def arrived(self) -> Request:
        """Wait until a request stands at the gate."""
        async with asyncio.timeout(TIMEOUT):
            return await _shared(self._arrived)

    async def outcome(self) -> Reply:
        """Wait for what the store said to it."""
        async with asyncio.timeout(TIMEOUT):
            return await _shared(self._outcome)

    def wait_arrived(self) -> Request:
        return self._arrived.result(TIMEOUT)

    def wait_outcome(self) -> Reply:
        return self._outcome.result(TIMEOUT)


def _set(future: "Future[Value]", value: Value) -> None:
    if not future.done():
        future.set_result(value)


async def _shared(future: "Future[Value]") -> Value:
    # Shielded: a waiter that gives up must not cancel what others wait for.
    return await asyncio.shield(asyncio.wrap_future(future))


# -- the proxy


@dataclass
class _Rule:
    matches: Predicate
    fault: Fault
    skip: int
    left: int | None

    def takes(self, request: Request) -> bool:
        if self.left == 0 or not self.matches(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        return True


@dataclass
class _Partition:
    requests: asyncio.Event = field(default_factory=asyncio.Event)
    replies: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """Made by ``proxy_to``; every method may be called from any thread."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._seen: list[Request] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._path = _Partition()
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def when(self, matches: Predicate, fault: Fault, *, skip: int = 0, times: int | None = 1) -> None:
        """Let the next ``times`` matching requests (None: all), but for the first ``skip``, meet a fault."""
        with self._lock:
            self._rules.append(_Rule(matches, fault, skip, times))

    def clear(self) -> None:
        """Forget all rules; faults under way go on."""
        with self._lock:
            self._rules.clear()

    def seen(self, method: str = "", path: str = "") -> list[Request]:
        """List the requests so far."""
        with self._lock:
            seen = list(self._seen)
        return [each for each in seen if method in ("", each.method) and each.path.startswith(path)]

    def partition(self, *, requests: bool = True, replies: bool = True) -> None:
        """Let nothing pass from now on, in the named directions; connections stay open and silent."""
        self._set_path(not requests, not replies)

    def heal(self) -> None:
        """Let everything pass again, also what was waiting."""
        self._set_path(True, True)

    def reset_all(self) -> None:
        """Reset every connection that is open now."""
        self._call(self._cancel_all)

    def _set_path(self, requests: bool, replies: bool) -> None:
        def change() -> None:
            for event, is_open in ((self._path.requests, requests), (self._path.replies, replies)):
                event.set() if is_open else event.clear()

        self._call(change)

    def _call(self, action: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def act() -> None:
            action()
            done.set_result(None)

        if threading.current_thread() is self._thread:
            action()
        else:
            self._loop.call_soon_threadsafe(act)
            done.result(TIMEOUT)

    def open(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(TIMEOUT)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- on its own thread from here on

    async def _start(self) -> None:
        self._path.requests.set()
        self._path.replies.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._cancel_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        client, store = _Wire(reader, writer), _Upstream(self._upstream)
        try:
            with suppress(ConnectionError, EOFError, asyncio.CancelledError):
                await self._serve(client, store)
        finally:
            client.reset()
            store.close()

    async def _serve(self, client: "_Wire", store: "_Upstream") -> None:
        while True:
            request = await self._request(client)
            fault = self._fault_for(request)
            gone = asyncio.ensure_future(client.gone())
            exchange = Exchange(request, client, store, self._path, gone)
            work = asyncio.ensure_future(fault(exchange))
            try:
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
                if work.done() or exchange.outlive:
                    await work
            finally:
                gone.cancel()
                work.cancel()
                await asyncio.gather(gone, work, return_exceptions=True)
            if exchange.ended or client.ended:
                return

    def _fault_for(self, request: Request) -> Fault:
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.takes(request)), passing)

    async def _request(self, client: "_Wire") -> Request:
        head = await client.until(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        body = await client.body(head)
        with self._lock:
            request = Request(len(self._seen) + 1, method, target, head, body)
            self._seen.append(request)
        return request


class Exchange:
    """One request on its way. ``outlive``: go on with it when its client has gone."""

    def __init__(
        self, request: Request, client: "_Wire", store: "_Upstream", path: _Partition, gone: "asyncio.Future[None]"
    ) -> None:
        self.request = request
        self.outlive = False
        self.ended = False
        self._client = client
        self._store = store
        self._path = path
        self._gone = gone

    async def forward(self) -> Reply:
        """Pass the request on and wait for the store's whole reply."""
        await self._path.requests.wait()
        return await self._store.ask(self.request)

    async def reply(self, reply: Reply) -> None:
        """Pass a reply to the client."""
        await self.send(reply.head + reply.body)

    async def send(self, text: bytes) -> None:
        """Send bytes to the client."""
        await self._path.replies.wait()
        await self._client.send(text)

    async def gone(self) -> None:
        """Wait until the client gives up."""
        await asyncio.shield(self._gone)

    def reset(self) -> None:
        """Reset the client's connection."""
        self.ended = True
        self._client.reset()

    def close(self) -> None:
        """End the client's connection in order, after what was sent."""
        self.ended = True
        self._client.close()


class _Wire:
    """A connection with a buffer of our own, so that looking for its end loses nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self.ended = False

    async def until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            await self._fill()
        return self._take(at + len(mark))

    async def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._fill()
        return self._take(size)

    async def body(self, head: bytes, *, bare: bool = False) -> bytes:
        """Read the body that a head announces; ``bare``: a reply that has none whatever its head says."""
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if bare:
            return b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return await self._chunks()
        return await self.exactly(int(fields.get(b"content-length", b"0")))

    async def _chunks(self) -> bytes:
        text = bytearray()
        while True:
            line = await self.until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            text += line + await self.exactly(size + 2)
            if size == 0:
                return bytes(text)

    async def gone(self) -> None:
        with suppress(EOFError, ConnectionError):
            while True:
                await self._fill()

    async def send(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    def reset(self) -> None:
        with suppress(OSError):
            connection: socket.socket | None = self._writer.get_extra_info("socket")
            if connection is not None and not self._writer.is_closing():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()

    async def _fill(self) -> None:
        portion = await self._reader.read(1 << 18)
        if not portion:
            self.ended = True
            raise EOFError
        self._buffer += portion

    def _take(self, size: int) -> bytes:
        text = bytes(self._buffer[:size])
        del self._buffer[:size]
        return text


class _Upstream:
    """The connection to the store that belongs to one client's connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._wire: _Wire | None = None

    async def ask(self, request: Request) -> Reply:
        wire = self._wire or _Wire(*await asyncio.open_connection(*self._address))
        self._wire = None
        try:
            await wire.send(request.head + request.body)
            head = await wire.until(b"\r\n\r\n")
            status = int(head.split(b" ")[1])
            bare = request.method == "HEAD" or status in (204, 304)
            reply = Reply(status, head, await wire.body(head, bare=bare))
        except BaseException:
            wire.reset()
            raise
        self._wire = wire
        return reply

    def close(self) -> None:
        if self._wire is not None:
            self._wire.reset()


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """Run a proxy to an address (``http://127.0.0.1:8500``); everything is reset at the end."""
    proxy = Proxy(upstream)
    proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
