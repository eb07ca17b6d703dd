"""docs/subscribing.md names every field of an event, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from syncd.core import cloudevent
from syncd.core.event import Event, KeyChange, ToldRevision, shown
from syncd.core.snapshots.failing import Failure, Good

PAGE = (Path(__file__).resolve().parents[4] / "docs/subscribing.md").read_text()
REVISION = ToldRevision("a" * 40, "main", "Ana", "Try", 1, worktree=True)
CHANGES = (
    KeyChange("a", "update", b"1", b"2", shown(b"1"), shown(b"2"), "a.yaml:1:1"),
    KeyChange("b", "update", b"\xff", b"\xfe", shown(b"\xff"), shown(b"\xfe"), secret=True),
)


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Name every field of JSON, with dots between."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{path}{name}"
            yield from fields(part, f"{path}{name}.")
    elif isinstance(value, list):
        for part in value:
            yield from fields(part, path)


def written() -> set[str]:
    event = Event("e-1", "revision", "e", 1, 0.0, CHANGES, len(CHANGES), REVISION)
    return set(fields(json.loads(cloudevent.encode(event, "app"))))


def written_of_a_failure() -> set[str]:
    last = Good("consul-20261125-1.snap", 1)
    failure = Failure("snapshot", "failed", "2026-11-26", 1, "a", "no space", "/backup", "free some", last)
    event = Event("e-1", "snapshot", "e", 1, 0.0, (), 0, failures=(failure,))
    return set(fields(json.loads(cloudevent.encode(event, "app"))))


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_table_explains_every_field_that_is_told() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("The event"), re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    plain = {name for name in written() if name != "data"}
    assert sorted(explained) == sorted(plain)


def test_the_example_has_the_fields_of_an_event() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", section("The event"), re.DOTALL)
    assert set(fields(json.loads(text))) | {"data.changes.old_base64", "data.changes.new_base64"} == written()


def test_the_fields_of_a_failure_are_explained_and_shown() -> None:
    told = section("When a snapshot fails")
    rows = re.findall(r"^\| (`.*?`) \|", told, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    (text,) = re.findall(r"```json\n(.*?)```", told, re.DOTALL)
    assert set(fields(json.loads(text))) == written_of_a_failure()
    assert explained == {name for name in written_of_a_failure() if name.startswith("data.")}


def test_every_type_and_detail_is_explained() -> None:
    told = section("The event")
    assert all(f"`{type_}`" in told for type_ in cloudevent.TYPES.values())
    assert all(f"`{detail}`" in told for detail in ("full", "keys", "none"))
