"""How requests travel: py-consul's transport seam, on one aiohttp session of our own.

What py-consul's own asynchronous transport lacks is why this stands here: no pool limit (100 there, so that watches
starve writes), a deadline for each call (300 s for all there, less than Consul's own wait), identity encoding (gzip
costs the server eight times as much), no redirects, typed errors, and no write that is silently sent twice.
"""

import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import consul.base
import consul.exceptions
import yarl

from syncd.core.errors import NotFound, StoreError, UnknownOutcome, Unreachable
from syncd.store.answers import Reply
from syncd.store.endpoint import Endpoint
from syncd.store.faults import ANSWERS, BUSY_HINT, UNKNOWN_HINT, fault_of, quoted

Params = Sequence[tuple[str, Any]]
Answer = TypeVar("Answer")
_Ask = Callable[..., Awaitable[aiohttp.ClientResponse]]

PATIENCE: Final = 30.0
"""Seconds for a call that does not block."""

_READS: Final = frozenset(("GET", "POST"))  # the one POST that syncd sends asks a question
_WAIT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?\Z")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_CONSULS_WAIT: Final = 300.0
_BUFFER: Final = 256 * 1024
_CONNECT: Final = 10.0


class _Lost(Exception):
    """A write's connection broke after sending began; not one of the types that make aiohttp send again."""


class Transport(consul.base.HTTPClient):  # type: ignore[misc]  # py-consul carries no types
    """Sends a request once, and raises a typed error for whatever is not an answer."""

    def __init__(self, endpoint: Endpoint, patience: float = PATIENCE) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._opened: aiohttp.ClientSession | None = None

    def get(
        self,
        callback: Callable[[Reply], Answer],
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,  # noqa: ARG002  # py-consul passes it; bodies are bytes here anyway
    ) -> Awaitable[Answer]:
        """Send a GET."""
        return self._call(callback, "GET", path, params, b"", headers)

    def put(
        self,
        callback: Callable[[Reply], Answer],
        path: str,
        params: Params | None = None,
        data: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable[Answer]:
        """Send a PUT, once."""
        return self._call(callback, "PUT", path, params, data, headers)

    def delete(
        self,
        callback: Callable[[Reply], Answer],
        path: str,
        params: Params | None = None,
        data: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable[Answer]:
        """Send a DELETE, once."""
        return self._call(callback, "DELETE", path, params, data, headers)

    def post(
        self,
        callback: Callable[[Reply], Answer],
        path: str,
        params: Params | None = None,
        data: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable[Answer]:
        """Send a POST, which is taken for a question that changes nothing."""
        return self._call(callback, "POST", path, params, data, headers)

    async def close(self) -> None:
        """Close every connection; calls in flight end with an error."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def _call(
        self,
        callback: Callable[[Reply], Answer],
        method: str,
        path: str,
        params: Params | None,
        data: str | bytes,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        body = data.encode() if isinstance(data, str) else data
        async with self.open(method, path, params or (), body, headers or {}) as response:
            reply = Reply(response.status, response.headers, await response.read())
        try:
            return callback(reply)
        except consul.exceptions.NotFound:
            raise NotFound(quoted(reply.body), where=f"{method} {path} at {self._endpoint}") from None
        except (consul.exceptions.ConsulException, ValueError, LookupError, TypeError, RecursionError):
            # What py-consul's own callbacks raise on an answer that is not what they expect.
            raise self._damaged(reply, method, path) from None

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: bytes | AsyncIterable[bytes] = b"",
        headers: Mapping[str, str] = {},
        *,
        patience: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and hand out the answer while its body is still coming.

        Whatever breaks until the block is left is raised as a typed error: for a write UnknownOutcome once it may
        have been sent, else Unreachable. A body that was cut raises too.
        """
        where = f"{method} {path} at {self._endpoint}"
        write = method not in _READS
        ask = partial(
            self._session().request,
            method,
            self._url(path, params),
            data=body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=deadline(params, patience or self._patience), sock_connect=_CONNECT),
            server_hostname=self._endpoint.server_name or None,
            middlewares=(_once,) if write else (),
        )
        try:
            response = await self._send(ask, headers)
            try:
                if response.status not in ANSWERS:
                    text = await response.content.read(_BUFFER)
                    raise fault_of(response.status, text, write=write, where=where)
                yield response
            finally:
                response.release()
        except (aiohttp.ClientError, _Lost, TimeoutError, OSError) as error:
            # "from None": aiohttp's errors carry the request's headers, and so the token.
            raise self._broken(error, write=write, where=where) from None

    async def _send(self, ask: _Ask, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        token = self._endpoint.token
        response = await ask(headers=_with_token(headers, token.current()))
        if response.status == 403 and token.refresh():
            response.release()
            # A refused request was not done, so that it may be sent again.
            response = await ask(headers=_with_token(headers, token.current()))
        return response

    def _url(self, path: str, params: Params) -> yarl.URL:
        query = urlencode([*params, *self._endpoint.scope], quote_via=quote)
        return yarl.URL(f"{self._endpoint.address.base}{quote(path, safe='/')}?{query}", encoded=True)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = self._open_session()
        return self._opened

    def _open_session(self) -> aiohttp.ClientSession:
        headers = {"Accept-Encoding": "identity"}
        if self._endpoint.authorization:
            headers["Authorization"] = self._endpoint.authorization
        return aiohttp.ClientSession(
            connector=self._connector(),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            read_bufsize=_BUFFER,
        )

    def _connector(self) -> aiohttp.BaseConnector:
        if self._endpoint.address.socket:
            return aiohttp.UnixConnector(self._endpoint.address.socket, limit=0)
        return aiohttp.TCPConnector(limit=0, ssl=self._endpoint.tls or True)

    def _damaged(self, reply: Reply, method: str, path: str) -> StoreError:
        said, where = f"the answer makes no sense: {quoted(reply.body)}", f"{method} {path} at {self._endpoint}"
        if method in _READS:
            return Unreachable(said, where=where, hint=BUSY_HINT)
        return UnknownOutcome(said, where=where, hint=UNKNOWN_HINT)

    def _broken(self, error: Exception, *, write: bool, where: str) -> StoreError:
        reason = _reason(error)
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            hint = "name its CA in CONSUL_CACERT, or its name in CONSUL_TLS_SERVER_NAME"
            return StoreError(f"the store's certificate is not trusted: {reason}", where=where, hint=hint)
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return Unreachable(f"no TLS there: {reason}", where=where, hint="is CONSUL_HTTP_SSL right for this port?")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Unreachable(f"nothing answers: {reason}", where=where, hint=self._advice())
        said = "no answer in time" if isinstance(error, TimeoutError) else f"the answer broke off: {reason}"
        if write:
            return UnknownOutcome(said, where=where, hint=UNKNOWN_HINT)
        if "_ALERT_" in reason:
            hint = "it lets in only certificates of its own CA: CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY"
            return StoreError(f"the store ended the connection: {reason}", where=where, hint=hint)
        return Unreachable(said, where=where, hint=BUSY_HINT)

    def _advice(self) -> str:
        address = self._endpoint.address
        if self._endpoint.is_default:
            return (
                "start a Consul agent, name yours in CONSUL_HTTP_ADDR, or try syncd without one: syncd run --embedded; "
                "one that runs with another port (make run PORT=8600): export SYNCD_STORE_ADDRESS=127.0.0.1:8600"
            )
        if not address.port and not address.socket:
            return "the address names no port, which means port 80 or 443, as for the Consul CLI; Consul's is 8500"
        return "check that the store runs there"


def _with_token(headers: Mapping[str, str], token: str | None) -> Mapping[str, str]:
    return {"X-Consul-Token": token, **headers} if token else headers


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE again on a new connection when the one in use breaks.

    The first may have been done, and its repetition would then answer "false", like a lost race.
    """
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(_reason(error)) from None


def deadline(params: Params, patience: float = PATIENCE) -> float:
    """Return how long to wait for an answer: a blocking query lasts its wait and up to a sixteenth more."""
    named = dict(params)
    if not named.get("index"):
        return patience
    found = _WAIT.match(str(named.get("wait", f"{_CONSULS_WAIT}s")))
    wait = float(found[1]) * _UNITS[found[2]] if found else _CONSULS_WAIT
    return wait * 17 / 16 + 10


def _reason(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(cause, ConnectionError) and cause.errno:
        return os.strerror(cause.errno)  # asyncio's own text says "Connect call failed" and the address once more
    return getattr(cause, "strerror", None) or str(cause) or type(error).__name__


class Client(consul.base.Consul):  # type: ignore[misc]  # py-consul carries no types
    """py-consul, with all of its API, on our transport. Nothing comes from the process's environment."""

    http: Transport

    def __init__(self, endpoint: Endpoint, patience: float = PATIENCE) -> None:
        self._endpoint = endpoint
        self._patience = patience
        super().__init__(host=endpoint.address.host, port=endpoint.address.port, scheme="http", verify=True)
        # py-consul lets CONSUL_HTTP_TOKEN win over everything; the transport knows the token that counts.
        self.token = None

    def http_connect(self, *_: object) -> Transport:
        """Hand our transport to py-consul's constructor."""
        return Transport(self._endpoint, self._patience)
