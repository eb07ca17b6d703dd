"""The document says of every route what the code does, and nothing else."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from syncd.web.answers import Refusal
from syncd.web.openapi import describe
from syncd.web.routes import ROUTES, Route, Table
from syncd.web.tokens import Scope

DOCUMENT: Final = describe(ROUTES)
API: Final = (Path(__file__).parents[3] / "docs/api.md").read_text()


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.plain_path][route.method.lower()]
    return found


def test_it_lists_every_route_and_no_other() -> None:
    listed = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert listed == {(route.method, route.plain_path) for route in ROUTES}
    assert len(listed) == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_scope_parameters_body_and_answer_are_those_of_the_route(route: Route) -> None:
    said = operation(route)
    assert said["x-scope"] == route.scope.word
    assert bool(said["security"]) == (route.scope is not Scope.NONE)
    assert {(each["name"], each["in"]) for each in said["parameters"]} == {(p.name, p.where) for p in route.parameters}
    in_path = set(re.findall(r"\{(\w+)", route.path))
    assert {each["name"] for each in said["parameters"] if each["required"]} == in_path
    if route.takes is not None:
        assert schema_of(said["requestBody"]["content"]["application/json"]) == route.takes.__name__
    content = said["responses"]["200"]["content"]
    assert tuple(content) == route.media
    if route.answers is not None:
        assert schema_of(content["application/json"]) == route.answers.__name__
    assert schema_of(said["responses"]["default"]["content"]["application/json"]) == "ErrorAnswer"
    assert (route.takes is not None) == (route.method == "POST")


def schema_of(content: dict[str, Any]) -> str:
    reference: str = content["schema"]["$ref"]
    name = reference.rpartition("/")[2]
    assert name in DOCUMENT["components"]["schemas"]
    return name


def test_every_reference_leads_somewhere() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in DOCUMENT["components"]["schemas"]


def test_the_page_on_the_api_lists_every_route_with_its_scope() -> None:
    rows = re.findall(r"^\| `(GET|POST) ([^`?]+)[^`]*` \| (\w+) \|", API, re.MULTILINE)
    assert set(rows) == {(route.method, route.plain_path, route.scope.word) for route in ROUTES}


def test_a_path_is_found_with_what_stands_in_it() -> None:
    table = Table(ROUTES)
    found = table.find("GET", "/api/v1/config/brain/a%2Fb%20c")
    assert (found.route.path, found.path) == ("/api/v1/config/{key:.*}", {"key": "brain/a/b c"})
    assert table.find("POST", "/api/v1/subscribers/a.b/test").path == {"name": "a.b"}
    assert table.find("GET", "/api/v1/config").path == {}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/config/", 404),
        ("GET", "/api/v1/subscribers/a/b/deliveries", 404),
        ("GET", "/healthz\n", 404),
        ("DELETE", "/api/v1/status", 405),
        ("GET", "/api/v1/sync", 405),
        ("HEAD", "/api/v1/sync", 405),
        ("HEAD", "/api/v1/events", 405),
        ("GET", "/api/v1/config/%ff", 400),
    ],
)
def test_what_is_not_in_the_table_is_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        Table(ROUTES).find(method, path)
    assert caught.value.status == status
