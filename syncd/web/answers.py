"""Answers: JSON bodies, and every error as JSON with a fitting status."""

from typing import Final

import msgspec
from aiohttp.web import Response

from syncd.core.errors import (
    Conflict,
    Denied,
    GitError,
    Kind,
    LeaseHeld,
    NotFound,
    RecordError,
    StateError,
    StoreError,
    SyncdError,
)
from syncd.core.problems import Problem, TreeError
from syncd.daemon.answers import Trouble, problems_of

JSON: Final = "application/json"
SERVER: Final = {"Server": "syncd"}
_COMMON: Final = {**SERVER, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class ErrorAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every answer that is not a success; ``problems`` where a tree is invalid."""

    error: Trouble
    problems: tuple[Problem, ...] = ()


class Refusal(Exception):  # an answer, not a fault
    """An answer that ends a call: a status, and what happened, where, what to do."""

    def __init__(
        self, status: int, message: str, *, where: str = "", hint: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.trouble = Trouble(message, where, hint)
        self.headers = headers or {}


def json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return body(msgspec.json.encode(value), JSON, status=status, headers=headers)


def text(value: str, *, status: int = 200) -> Response:
    """Answer with a line of text."""
    return body(f"{value}\n".encode(), "text/plain; charset=utf-8", status=status)


def body(value: bytes, media: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with bytes of some media type."""
    return Response(status=status, body=value, headers={"Content-Type": media, **_COMMON, **(headers or {})})


def refusal(found: Refusal) -> Response:
    """Answer with an error of the door's own."""
    return json(ErrorAnswer(found.trouble), status=found.status, headers=found.headers)


def error(found: SyncdError) -> Response:
    """Answer with an error from the rooms below."""
    told = ErrorAnswer(Trouble(found.message, found.where, found.hint), problems_of(found))
    status = _status(found)
    return json(told, status=status, headers={"Retry-After": "5"} if status == 503 else None)


def _status(found: SyncdError) -> int:
    match found:
        case NotFound():
            return 404
        case Conflict() | RecordError() | TreeError() | LeaseHeld():
            return 409
        case Denied():
            return 502
        case StateError():
            return 503
        case StoreError() | GitError():
            return 503 if found.kind is Kind.RETRY else 502
        case _:
            return 503
