"""A call as routes see it: its parameters and body, checked against what the route takes."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec
from aiohttp import web

from syncd.core.documents import UNREADABLE
from syncd.web.answers import JSON, Refusal
from syncd.web.connections import BODY_SECONDS, Connection
from syncd.web.tokens import Caller

T = TypeVar("T", bound=msgspec.Struct)

MOST_BODY: Final = 64 << 10
MOST_VALUE: Final = 4096
_BOOLS: Final = {"true": True, "false": False}


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a route; ``many``: it may be given several times. ``words`` are all that it may be."""

    name: str
    type: Literal["string", "boolean", "integer"]
    says: str
    where: Literal["query", "path", "header"] = "query"
    many: bool = False
    words: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


class Call:
    """One call; ``path`` holds the path's parameters, ``queries`` those of the query by name."""

    def __init__(
        self, request: web.BaseRequest, caller: Caller, path: Mapping[str, str], parameters: tuple[Parameter, ...]
    ) -> None:
        self.request = request
        self.caller = caller
        self.path = path
        self._query = {each.name: _read(request, each) for each in parameters if each.where == "query"}
        _refuse_unknown(request, self._query)

    @property
    def connection(self) -> Connection:
        """The connection that it came by."""
        assert isinstance(self.request.protocol, Connection)
        return self.request.protocol

    def header(self, name: str) -> str:
        """Return a header, "" where it is not there."""
        return self.request.headers.get(name, "")

    def text(self, name: str) -> str:
        """Return a text of the query, "" where it is not there."""
        found: list[str] = self._query[name]
        return found[-1] if found else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every text of that name."""
        return tuple(self._query[name])

    def flag(self, name: str, default: bool) -> bool:  # what it is stands beside its name
        """Return a boolean of the query."""
        found: list[bool] = self._query[name]
        return found[-1] if found else default

    def number(self, name: str, default: int) -> int:
        """Return a number of the query."""
        found: list[int] = self._query[name]
        return found[-1] if found else default

    async def body(self, type_: type[T]) -> T:
        """Read the body as JSON."""
        _demand_json(self.request)
        content = await _content(self.request)
        try:
            return msgspec.json.decode(content, type=type_)
        except UNREADABLE as error:
            said = f"the body is not what this call takes: {error}"
            raise Refusal(400, said, hint="see /api/v1/openapi.json") from None


async def _content(request: web.BaseRequest) -> bytes:
    """Read a body of bounded size in bounded time."""
    too_large = Refusal(413, f"the body is over {MOST_BODY} bytes", headers={"Connection": "close"})
    if (request.content_length or 0) > MOST_BODY:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                size += len(part)
                if size > MOST_BODY:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        late = f"the body did not arrive within {BODY_SECONDS:g} s"
        raise Refusal(408, late, headers={"Connection": "close"}) from None
    return b"".join(parts)


def _demand_json(request: web.BaseRequest) -> None:
    """Refuse what a web page can send to this machine without asking: forms, and anything with an Origin."""
    if "Origin" in request.headers:
        raise Refusal(403, "a web page may not call this", hint="call it from a program, without an Origin header")
    if request.content_type != JSON or "Content-Type" not in request.headers:
        raise Refusal(415, "the body must be JSON", hint=f"send the header Content-Type: {JSON}")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(415, "the body must not be compressed")


def _read(request: web.BaseRequest, parameter: Parameter) -> list[Any]:
    given = request.query.getall(parameter.name, [])
    if len(given) > 1 and not parameter.many:
        raise Refusal(400, f"{parameter.name} was given {len(given)} times", where=f"?{parameter.name}=")
    return [_value(text, parameter) for text in given]


def _value(text: str, parameter: Parameter) -> object:
    where = f"?{parameter.name}="
    if len(text) > MOST_VALUE:
        raise Refusal(400, f"{parameter.name} is over {MOST_VALUE} characters", where=where)
    if parameter.words and text not in parameter.words:
        raise Refusal(400, f"{parameter.name} must be {' or '.join(parameter.words)}", where=where)
    if parameter.type == "boolean":
        if text not in _BOOLS:
            raise Refusal(400, f"{parameter.name} must be true or false", where=where)
        return _BOOLS[text]
    if parameter.type == "integer":
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
        if not parameter.least <= number <= parameter.most:
            raise Refusal(400, f"{parameter.name} must be {parameter.least} to {parameter.most}", where=where)
        return number
    return text


def _refuse_unknown(request: web.BaseRequest, known: Mapping[str, object]) -> None:
    unknown = sorted(set(request.query) - set(known))
    if unknown:
        takes = ", ".join(known) or "none"
        raise Refusal(400, f"there is no parameter {unknown[0][:80]!r}", where="?", hint=f"this call takes: {takes}")
