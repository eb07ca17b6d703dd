"""The daemon of this machine, asked over its unix socket."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from syncd.cli.sse import Frame, Frames
from syncd.core.documents import UNREADABLE
from syncd.core.errors import SyncdError
from syncd.daemon.answers import LiveStatus, SyncAnswer, Trouble
from syncd.daemon.line import Standings
from syncd.fanout.sender import Result
from syncd.fanout.tables import Delivery
from syncd.settings import Settings
from syncd.settings.defaults import repository_top, service_socket

T = TypeVar("T")

ANSWER_SECONDS: Final = 10.0
WORK_SECONDS: Final = 90.0
"""For calls that wait for a pass or a delivery: the daemon itself answers within 60."""
SILENCE_SECONDS: Final = 60.0
"""A stream shows a sign of life every 15 seconds."""
_BUFFER: Final = 1 << 20
_TRY_AGAIN: Final = (408, 503)


class NoDaemon(SyncdError):
    """No daemon can be asked on this machine."""

    exit_code = 75


class DaemonError(SyncdError):
    """The daemon says no."""


class DaemonBusy(DaemonError):
    """The daemon cannot do it at the moment."""

    exit_code = 75


class _Failure(msgspec.Struct):
    error: Trouble


class _Subscribers(msgspec.Struct):
    subscribers: list[Standings]


class _Deliveries(msgspec.Struct):
    deliveries: list[Delivery]


class Daemon:
    """Made by ``connect``. Methods raise NoDaemon where the connection breaks, DaemonError where it says no."""

    def __init__(self, session: aiohttp.ClientSession, socket: Path) -> None:
        self._session = session
        self._socket = socket

    async def status(self) -> LiveStatus:
        """Ask how things stand."""
        return await self._call("GET", "status", LiveStatus)

    async def subscribers(self) -> list[Standings]:
        """List the subscribers."""
        return (await self._call("GET", "subscribers", _Subscribers)).subscribers

    async def deliveries(self, name: str, most: int) -> list[Delivery]:
        """List a subscriber's deliveries that came to an end, the newest first."""
        path = f"subscribers/{quote(name, safe='')}/deliveries?most={most}"
        return (await self._call("GET", path, _Deliveries)).deliveries

    async def test(self, name: str) -> Result:
        """Have a subscriber sent a message that tells nothing."""
        return await self._call("POST", f"subscribers/{quote(name, safe='')}/test", Result, {})

    async def replay(self, name: str, *, since: float | None, event: str | None) -> None:
        """Have a subscriber told anew: since a time, from an event on, or the full state."""
        wanted = {"since": since, "event": event}
        order = {key: value for key, value in wanted.items() if value is not None}
        await self._call("POST", f"subscribers/{quote(name, safe='')}/replay", dict[str, Any], order)

    async def sync(self, commit: str) -> SyncAnswer:
        """Have a pass begin and wait until a commit, or a newer one, is applied, or cannot be."""
        return await self._call("POST", "sync", SyncAnswer, {"commit": commit})

    @asynccontextmanager
    async def events(self, prefix: str, frames: Frames) -> AsyncIterator[AsyncIterator[Frame]]:
        """Follow what changes, from where ``frames`` is, until the connection ends."""
        query = urlencode({"prefix": prefix}) if prefix else ""
        headers = {"Last-Event-ID": frames.id} if frames.id else {}
        patience = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS)
        async with self._open("GET", f"events?{query}", patience, headers=headers) as answer:
            yield self._frames(answer.content, frames)

    async def _frames(self, content: aiohttp.StreamReader, frames: Frames) -> AsyncIterator[Frame]:
        piece = b"."
        while piece:
            with self._breaking():
                piece = await content.readany()
                found = list(frames.feed(piece))
            for frame in found:
                yield frame

    async def _call(self, method: str, path: str, type_: type[T], body: object = None) -> T:
        patience = aiohttp.ClientTimeout(total=ANSWER_SECONDS if body is None else WORK_SECONDS)
        async with self._open(method, path, patience, body=body) as answer:
            with self._breaking():
                content = await answer.read()
        return self._decode(content, type_)

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        patience: aiohttp.ClientTimeout,
        *,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        data = None if body is None else msgspec.json.encode(body)
        told = {**(headers or {}), **({"Content-Type": "application/json"} if data is not None else {})}
        url = f"http://localhost/api/v1/{path}"
        with self._breaking():
            answer = await self._session.request(method, url, data=data, headers=told, timeout=patience)
        try:
            if answer.status != 200:
                with self._breaking():
                    content = await answer.read()
                raise self._refusal(answer.status, content)
            yield answer
        finally:
            answer.release()

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Say in our own words how a connection broke; around nothing that is the caller's."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._gone(error) from None

    def _decode(self, content: bytes, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=type_)
        except UNREADABLE:
            hint = "it may be of another version: restart it with this one"
            raise DaemonError("the daemon's answer is not understood", where=str(self._socket), hint=hint) from None

    def _refusal(self, status: int, content: bytes) -> DaemonError:
        told = self._decode(content, _Failure).error
        kind = DaemonBusy if status in _TRY_AGAIN else DaemonError
        return kind(told.message, where=told.where, hint=told.hint)

    def _gone(self, error: Exception) -> NoDaemon:
        cause = getattr(error, "os_error", None) or error
        if isinstance(cause, PermissionError):
            hint = "its owner, its group and root may: sudo, or join the group that it runs as"
            return NoDaemon("the daemon's socket may not be used", where=str(self._socket), hint=hint)
        if isinstance(cause, FileNotFoundError | NotADirectoryError | ConnectionRefusedError):
            return _nobody(self._socket)
        if isinstance(error, TimeoutError):
            return NoDaemon("the daemon does not answer in time", where=str(self._socket), hint="look at its log")
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
            return NoDaemon("the daemon broke off its answer", where=str(self._socket), hint="look at its log")
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return NoDaemon(f"the daemon cannot be asked: {reason}", where=str(self._socket), hint="look at its log")


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Daemon]:
    """Name the daemon for the block; whether one answers is found when it is asked."""
    service = _service(settings)
    if service is not None:
        async with _at(service) as daemon:
            if await _keeps(daemon, settings) or not os.access(service, os.W_OK):
                yield daemon
                return
    async with _at(settings.http.socket) as daemon:
        yield daemon


def _service(settings: Settings) -> Path | None:
    """Return the service's socket where nobody says another, and none stands where the daemon of a person has it.

    A command has none of the folders that systemd tells the service's daemon.
    """
    said = any(settings.origin(name) != "default" for name in ("http.socket", "state_directory"))
    socket = service_socket(settings.file)
    return None if said or settings.http.socket.exists() or not socket.exists() else socket


async def _keeps(daemon: Daemon, settings: Settings) -> bool:
    """Tell whether a daemon keeps the tree of these settings: one of another tree must not be taken for it."""
    try:
        live = await daemon.status()
    except (NoDaemon, DaemonError):
        return False
    ours = (settings.store.prefix, settings.source.path, repository_top(settings.source.repository))
    return ours == (live.prefix, live.source.path, repository_top(Path(live.source.repository)))


@asynccontextmanager
async def _at(socket: Path) -> AsyncIterator[Daemon]:
    with short_path(socket) as path:
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path), cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=_BUFFER
        ) as session:
            yield Daemon(session, socket)


@contextmanager
def short_path(socket: Path) -> Iterator[str]:
    """Name a socket by its folder's descriptor: the kernel takes 108 bytes of a path at the most."""
    try:
        folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # whoever connects to it finds the same reason
        yield str(socket)
        return
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)


def _nobody(socket: Path) -> NoDaemon:
    hint = "start one: syncd run; one with another state directory or socket: --state-directory, http.socket"
    return NoDaemon("no daemon answers on this machine", where=str(socket), hint=hint)
