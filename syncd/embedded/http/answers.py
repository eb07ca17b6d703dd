"""Answers in Consul's form."""

import msgspec
from aiohttp.web import Response

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Problem(Exception):  # an answer, not a fault
    """An answer that ends a request: a status with a text."""

    def __init__(self, status: int, text: str, *, close: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.close = close


def meta(index: int | None = None) -> dict[str, str]:
    """Return the headers that every read has; a transaction has no index."""
    headers = {"X-Consul-Knownleader": "true", "X-Consul-Lastcontact": "0"}
    return headers if index is None else {"X-Consul-Index": str(index), **headers}


def json(value: object, headers: dict[str, str] | None = None, *, status: int = 200, pretty: bool = False) -> Response:
    """Answer with JSON."""
    body = msgspec.json.encode(value)
    if pretty:
        body = msgspec.json.format(body, indent=4) + b"\n"
    return Response(status=status, body=body, headers={"Content-Type": _JSON, **(headers or {})})


def text(status: int, body: str, headers: dict[str, str] | None = None) -> Response:
    """Answer with a text."""
    encoded = body.encode("utf-8", "backslashreplace")
    return Response(status=status, body=encoded, headers={"Content-Type": _TEXT, **(headers or {})})


def raw(value: bytes, index: int) -> Response:
    """Answer with a value's bytes, fenced against browsers as Consul does."""
    fence = {"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Response(body=value, headers={**fence, **meta(index)})


def missing(index: int | None = None) -> Response:
    """Answer 404 without a body."""
    return Response(status=404, headers=meta(index) if index is not None else None)
