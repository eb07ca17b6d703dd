"""Events as subscribers get them: CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec, json-format.md)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from syncd.core.event import Event, EventKind, KeyChange, named
from syncd.core.keys import own_prefix

CONTENT_TYPE: Final = "application/cloudevents+json"
TYPES: Final[dict[EventKind, str]] = {
    "revision": "syncd.revision.applied.v1",
    "foreign": "syncd.keys.changed.v1",
    "reset": "syncd.state.reset.v1",
    "snapshot": "syncd.snapshot.failed.v1",
    "test": "syncd.test.v1",
}
MAX_BYTES: Final = 1 << 20
"""Of one event's body; what is larger lists keys without values, or in the end no keys."""
Detail = Literal["full", "keys", "none"]
_KEY_BYTES: Final = 250
"""What one change takes beside its key and values, about."""


def encode(event: Event, prefix: str) -> bytes:
    """Write an event; over ``MAX_BYTES`` it lists keys only, or none, and ``detail`` says so."""
    if _size(event.changes) <= MAX_BYTES:
        body = _encode(event, prefix, _detail(event), event.changes)
        if len(body) <= MAX_BYTES:
            return body
    names = [named(change) for change in event.changes]
    if sum(len(change.key) for change in names) <= MAX_BYTES:
        body = _encode(event, prefix, "keys", names)
        if len(body) <= MAX_BYTES:
            return body
    return _encode(event, prefix, "none", ())


def _size(changes: Iterable[KeyChange]) -> int:
    return sum(len(each.key) + len(each.old or b"") + len(each.new or b"") + _KEY_BYTES for each in changes)


def _detail(event: Event) -> Detail:
    """Say what is told of the keys: hashes and, where they may be told, values; names alone; or not even those."""
    if len(event.changes) < event.count:
        return "none"
    told = all(each.new_hash or (each.operation == "delete" and each.old_hash) for each in event.changes)
    return "full" if told else "keys"


def _encode(event: Event, prefix: str, detail: Detail, changes: Iterable[KeyChange]) -> bytes:
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": f"urn:syncd:{prefix}",
            "type": TYPES[event.kind],
            "subject": prefix,
            "time": datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": _keys(event, prefix, detail, changes) if event.about == "keys" else _failures(event, prefix),
        }
    )


def _failures(event: Event, prefix: str) -> dict[str, Any]:
    return {"prefix": prefix, "failures": msgspec.to_builtins(event.failures)}


def _keys(event: Event, prefix: str, detail: Detail, changes: Iterable[KeyChange]) -> dict[str, Any]:
    return {
        "prefix": prefix,
        "epoch": event.epoch,
        "index": event.index,
        "revision": msgspec.to_builtins(event.revision) if event.revision else None,
        "count": event.count,
        "detail": detail,
        "read": f"/v1/kv/{own_prefix(prefix)}?recurse",
        "changes": [_change(change) for change in changes],
    }


def _change(change: KeyChange) -> dict[str, Any]:
    written: dict[str, Any] = {"key": change.key, "operation": change.operation}
    written |= _value("old", change.old, change.old_hash) | _value("new", change.new, change.new_hash)
    if change.at:
        written["at"] = change.at
    if change.secret:
        written["secret"] = True
    return written


def _value(name: str, value: bytes | None, hash_: str) -> dict[str, Any]:
    """Write a value as text, or in base64 where it is not UTF-8, with its hash; nothing where the key is not there."""
    written: dict[str, Any] = {f"{name}_hash": hash_} if hash_ else {}
    if value is None:
        return written
    try:
        return written | {name: value.decode()}
    except UnicodeDecodeError:
        return written | {f"{name}_base64": value}
