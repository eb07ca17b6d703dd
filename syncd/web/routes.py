"""Every route: the one table from which calls are answered and the OpenAPI document is made."""

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from syncd.core.saved import SavedPlan
from syncd.daemon.answers import DriftAnswer, LiveOrders, LiveStatus, SyncAnswer
from syncd.daemon.door import Door
from syncd.fanout.sender import Result
from syncd.web import asking, config, events, metrics, openapi, ordering
from syncd.web.answers import JSON, Refusal
from syncd.web.calls import Call, Parameter
from syncd.web.tokens import Scope

STREAM: Final = "text/event-stream"
Answer = Callable[[Door, Call], Awaitable[web.StreamResponse]]


class Route(msgspec.Struct, frozen=True):
    """One route. ``answers`` is the type of its JSON, None where it is something else; ``takes`` that of its body.

    ``media`` lists what it may answer with; a path's last parameter may hold slashes where it reads ``{name:.*}``.
    """

    method: str
    path: str
    scope: Scope
    answer: Answer
    says: str
    answers: type[msgspec.Struct] | None = None
    takes: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    media: tuple[str, ...] = (JSON,)
    statuses: tuple[int, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """What it takes: HEAD wherever GET is, but for a stream, which has no end to be left out."""
        return ("GET", "HEAD") if self.method == "GET" and STREAM not in self.media else (self.method,)

    @property
    def plain_path(self) -> str:
        """The path as OpenAPI writes it."""
        return self.path.replace(":.*}", "}")


_PREFIX: Final = Parameter("prefix", "string", "Only keys that begin so.")
_FORMAT: Final = Parameter("format", "string", "Whatever Accept says.", words=("json", "yaml"))
_KNOWN: Final = Parameter("If-None-Match", "string", "The ETag that is known: 304 where it still holds.", "header")
_KEY: Final = Parameter("key", "string", "The key, relative to the store's prefix.", "path")
_NAME: Final = Parameter("name", "string", "The subscriber's name.", "path")
_STREAM: Final = (
    Parameter("prefix", "string", "Only keys that begin so; several are alternatives.", many=True),
    Parameter("match", "string", "Only keys that a pattern matches, as in .gitignore; several count.", many=True),
    Parameter("values", "boolean", "false: hashes alone."),
    Parameter("about", "string", "snapshots: those that fail, instead of keys.", words=("keys", "snapshots")),
    Parameter("full", "boolean", "true: begin with the full state."),
    Parameter("last_event_id", "string", "As the header Last-Event-ID."),
    Parameter("Last-Event-ID", "string", "The last event that was seen: what came since comes first.", "header"),
)
_MOST: Final = Parameter("most", "integer", "How many.", least=1, most=asking.MOST_DELIVERIES)
_SUBSCRIBERS: Final = "/api/v1/subscribers"
_READ, _SYNC, _ADMIN = Scope.READ, Scope.SYNC, Scope.ADMIN

ROUTES: Final = (
    Route(
        "GET", "/healthz", Scope.NONE, asking.health, "The daemon lives.", media=("text/plain",), statuses=(503,),
    ),
    Route(
        "GET", "/readyz", Scope.NONE, asking.readiness, "A whole revision is published.",
        answers=asking.ReadyAnswer, statuses=(503,),
    ),
    Route("GET", "/metrics", _READ, metrics.metrics, "Metrics for Prometheus.", media=("text/plain",)),
    Route("GET", "/api/v1/status", _READ, asking.status, "How things stand.", answers=LiveStatus),
    Route(
        "GET", "/api/v1/config", _READ, config.everything, "Every key as of the last whole revision.",
        answers=config.ConfigAnswer, parameters=(_PREFIX, _FORMAT, _KNOWN), media=(JSON, config.YAML), statuses=(304,),
    ),
    Route(
        "GET", "/api/v1/config/{key:.*}", _READ, config.one, "One key as of the last whole revision.",
        answers=config.ConfigAnswer, parameters=(_KEY, _FORMAT, _KNOWN), media=(JSON, config.YAML), statuses=(304,),
    ),
    Route(
        "GET", "/api/v1/events", _READ, events.follow, "What changes, as server-sent events.",
        parameters=_STREAM, media=(STREAM,),
    ),
    Route("GET", _SUBSCRIBERS, _READ, asking.subscribers, "Every subscriber.", answers=asking.SubscribersAnswer),
    Route(
        "GET", f"{_SUBSCRIBERS}/{{name}}/deliveries", _READ, asking.deliveries, "A subscriber's deliveries.",
        answers=asking.DeliveriesAnswer, parameters=(_NAME, _MOST),
    ),
    Route(
        "POST", f"{_SUBSCRIBERS}/{{name}}/test", _SYNC, ordering.test, "Send a subscriber a test.",
        answers=Result, takes=ordering.TestOrder, parameters=(_NAME,),
    ),
    Route(
        "POST", f"{_SUBSCRIBERS}/{{name}}/replay", _SYNC, ordering.replay, "Tell a subscriber anew.",
        answers=ordering.ReplayAnswer, takes=ordering.ReplayOrder, parameters=(_NAME,),
    ),
    Route("GET", "/api/v1/drift", _READ, asking.drift, "Where live is not what git says.", answers=DriftAnswer),
    Route("GET", "/api/v1/plan", _READ, asking.plan, "What an apply of the tip would change.", answers=SavedPlan),
    Route(
        "POST", "/api/v1/sync", _SYNC, ordering.sync, "Have a pass begin, and wait for its end.",
        answers=SyncAnswer, takes=ordering.SyncOrder,
    ),
    Route(
        "POST", "/api/v1/approve", _ADMIN, ordering.approve, "Let exactly one plan through.",
        answers=LiveOrders, takes=ordering.ApproveOrder,
    ),
    Route(
        "POST", "/api/v1/pause", _ADMIN, ordering.pause, "Have nothing written.",
        answers=LiveOrders, takes=ordering.PauseOrder,
    ),
    Route(
        "POST", "/api/v1/resume", _ADMIN, ordering.resume, "Lift a pause.",
        answers=LiveOrders, takes=ordering.ResumeOrder,
    ),
    Route("GET", "/api/v1/openapi.json", Scope.NONE, openapi.document, "This document."),
)  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """The route of a call, and the path's parameters."""

    route: Route
    path: dict[str, str]


class Table:
    """Finds the route of a call."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = [(re.compile(_pattern(route.path)), route) for route in routes]

    def find(self, method: str, path: str) -> Found:
        """Return the route; refuse with 404 where the path is unknown, 405 where the method is."""
        matches = [(found, route) for pattern, route in self._routes if (found := pattern.fullmatch(path))]
        if not matches:
            raise Refusal(404, "there is nothing here", where=path[:200], hint="/api/v1/openapi.json lists every route")
        for found, route in matches:
            if method in route.methods:
                return Found(route, {name: _text(value) for name, value in found.groupdict().items()})
        allowed = ", ".join(sorted({each for _, route in matches for each in route.methods}))
        raise Refusal(405, f"{method[:20]} is not for this path", where=path[:200], headers={"Allow": allowed})


def _pattern(path: str) -> str:
    parts = re.split(r"\{(\w+)(:\.\*)?\}", path)
    found = ""
    for place in range(0, len(parts), 3):
        found += re.escape(parts[place])
        if place + 1 < len(parts):
            found += f"(?P<{parts[place + 1]}>{'.+' if parts[place + 2] else '[^/]+'})"
    return found


def _text(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Refusal(400, "the path is not UTF-8", where=value[:200]) from None
