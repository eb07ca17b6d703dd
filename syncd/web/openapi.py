"""``/api/v1/openapi.json``, made from the table of routes."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp.web import Response

import syncd
from syncd.daemon.door import Door
from syncd.web import answers
from syncd.web.answers import JSON, ErrorAnswer
from syncd.web.calls import MOST_VALUE, Call, Parameter
from syncd.web.tokens import Scope

if TYPE_CHECKING:
    from syncd.web.routes import Route

VERSION: Final = "3.1.0"
_REFERENCE: Final = "#/components/schemas/{name}"
_SCHEME: Final = "bearer"


async def document(_door: Door, _call: Call) -> Response:
    """Return the document."""
    return answers.json(_made())


@cache
def _made() -> dict[str, Any]:
    from syncd.web.routes import ROUTES  # noqa: PLC0415  # this is one of them

    return describe(ROUTES)


def describe(routes: Iterable["Route"]) -> dict[str, Any]:
    """Write the document of some routes."""
    routes = tuple(routes)
    types: list[type] = [ErrorAnswer]
    types += [each for route in routes for each in (route.answers, route.takes) if each is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    reference = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.plain_path, {})[route.method.lower()] = _operation(route, reference)
    return {
        "openapi": VERSION,
        "info": {"title": "syncd", "version": syncd.__version__, "description": "A running syncd daemon."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {_SCHEME: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: "Route", reference: dict[type, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()} {route.plain_path}",
        "summary": route.says,
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": _responses(route, reference),
        "security": [] if route.scope is Scope.NONE else [{_SCHEME: []}],
        "x-scope": route.scope.word,
    }
    if route.takes is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": reference[route.takes]}}}
    return found


def _responses(route: "Route", reference: dict[type, Any]) -> dict[str, Any]:
    schema = reference[route.answers] if route.answers is not None else {"type": "string"}
    content = {media: {"schema": {} if media == JSON and route.answers is None else schema} for media in route.media}
    refused = {JSON: {"schema": reference[ErrorAnswer]}}
    found: dict[str, Any] = {"200": {"description": route.says, "content": content}}
    if 304 in route.statuses:
        found["304"] = {"description": "What is known still holds."}
    if 503 in route.statuses:
        found["503"] = {"description": "Not now.", "content": content}
    found["default"] = {"description": "What went wrong, where, and what to do.", "content": refused}
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    if parameter.most:
        schema |= {"minimum": parameter.least, "maximum": parameter.most}
    if parameter.type == "string" and parameter.where == "query":
        schema |= {"maxLength": MOST_VALUE}
    if parameter.words:
        schema = {"enum": list(parameter.words)}
    if parameter.many:
        schema = {"type": "array", "items": schema}
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.says,
        "schema": schema,
    }
