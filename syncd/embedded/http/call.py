"""A request as Consul reads it: decoded path, parameters that count by presence, a limited body."""

import re
from collections.abc import AsyncIterator
from urllib.parse import unquote_plus, unquote_to_bytes, urlencode

from aiohttp.web import BaseRequest, StreamResponse

from syncd.embedded.http.answers import Problem

_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


class Call:
    """One request; ``rest`` is what follows the matched path."""

    __slots__ = ("_request", "method", "path", "query", "rest", "search")

    def __init__(self, request: BaseRequest) -> None:
        raw, _, self.search = request.raw_path.partition("?")
        if "%" in raw and _BAD_ESCAPE.search(raw):
            raise Problem(400, "400 Bad Request")
        self._request = request
        self.method = request.method
        self.path = unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))
        self.query = _parse(self.search) if self.search else {}
        self.rest = b""

    @property
    def name(self) -> str:
        """The rest of the path as text."""
        return self.rest.decode("utf-8", "surrogateescape")

    def has(self, parameter: str) -> bool:
        """Tell whether a parameter is there: ``?recurse=false`` recurses."""
        return parameter in self.query

    def number(self, parameter: str) -> int:
        """Read an unsigned 64-bit parameter."""
        text = self.query[parameter]
        value = unsigned(text)
        if value is None:
            raise Problem(500, f'strconv.ParseUint: parsing "{text}": invalid syntax')
        if value >= 2**64:
            raise Problem(500, f'strconv.ParseUint: parsing "{text}": value out of range')
        return value

    def refuse_conflicting(self, *parameters: str) -> None:
        """Refuse parameters that exclude each other."""
        if sum(map(self.has, parameters)) > 1:
            raise Problem(400, f"Conflicting flags: {urlencode(sorted(self.query.items()))}")

    async def body(self, limit: int, setting: str) -> bytes:
        """Read the body; ``setting`` is Consul's name for the limit."""
        hint = f"max size: {limit} bytes. See https://www.consul.io/docs/agent/options.html#{setting}."
        length = self._request.content_length
        if length is not None and length > limit:
            raise Problem(413, f"Request body({length} bytes) too large, {hint}", close=True)
        await self._ask_on()
        body = await _read(self._request, limit)
        if body is None:
            raise Problem(413, f"Request body too large, {hint}", close=True)
        return body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Read a body of any size as it comes."""
        await self._ask_on()
        async for piece in self._request.content.iter_any():
            yield piece

    async def stream(self, pieces: AsyncIterator[bytes], headers: dict[str, str]) -> StreamResponse:
        """Answer with what comes."""
        response = StreamResponse(headers=headers)
        await response.prepare(self._request)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
        return response

    async def _ask_on(self) -> None:
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0


def unsigned(text: str) -> int | None:
    """Read decimal digits; None where there are others. What is over 64 bits is 2**64, however long."""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text.lstrip("0")[:21] or "0"), 2**64)


async def _read(request: BaseRequest, limit: int) -> bytes | None:
    parts = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def _parse(search: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in search.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            found.setdefault(_decoded(name), _decoded(value))
    return found


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape") if "%" in text or "+" in text else text
