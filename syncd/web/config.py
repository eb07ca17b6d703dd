"""``/api/v1/config``: the configuration as of the last whole revision, never half of one."""

from collections.abc import Iterable
from typing import Final

import msgspec
from aiohttp.web import Response

from syncd.core.event import ToldRevision, shown
from syncd.daemon.door import Door
from syncd.daemon.view import View
from syncd.web import answers, yaml
from syncd.web.answers import JSON, Refusal
from syncd.web.calls import Call

YAML: Final = "application/yaml"
REVISION_HEADER: Final = "Syncd-Revision"


class Encoded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value that is no text: ``base64`` where it is not UTF-8.

    ``secret`` stands for a value that may not be shown: ``sha256:`` and the 64 hexadecimal digits of its SHA-256.
    """

    base64: bytes | None = None
    secret: str | None = None


Value = str | Encoded


class ConfigAnswer(msgspec.Struct, frozen=True):
    """Keys, relative to the prefix, with their values; ``epoch`` and ``index`` name the state."""

    revision: ToldRevision | None
    epoch: str
    index: int
    keys: dict[str, Value]


async def everything(door: Door, call: Call) -> Response:
    """Return every key, or those that begin with a prefix."""
    view = whole(door)
    prefix = call.text("prefix")
    return _answer(door, call, (key for key in view.entries if key.startswith(prefix)))


async def one(door: Door, call: Call) -> Response:
    """Return one key."""
    view, key = whole(door), call.path["key"]
    if key not in view.entries:
        raise Refusal(404, "there is no such key", where=key, hint="keys are relative to the prefix: /api/v1/config")
    return _answer(door, call, [key])


def whole(door: Door) -> View:
    """Return what is published; refuse until anything is."""
    if not door.view.ready:
        raise Refusal(503, "no whole revision is known yet", hint="/readyz says why", headers={"Retry-After": "2"})
    return door.view


def _answer(door: Door, call: Call, keys: Iterable[str]) -> Response:
    view = door.view
    media = YAML if _wants_yaml(call) else JSON
    commit = view.revision.commit if view.revision else ""
    headers = {
        # The record's index alone does not move with a foreign change, the last event does.
        "ETag": f'"{view.epoch}-{view.index}-{door.backlog.last[1]}-{media.partition("/")[2]}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept",
        **answers.SERVER,
        REVISION_HEADER: commit,
    }
    if _is_known(call.header("If-None-Match"), headers["ETag"]):
        return Response(status=304, headers=headers)
    found = {key: _value(view, key) for key in sorted(keys)}
    if media == YAML:
        head = {"revision": view.revision, "epoch": view.epoch, "index": view.index}
        return answers.body(yaml.render(head, "keys", found), media, headers=headers)
    return answers.json(ConfigAnswer(view.revision, view.epoch, view.index, found), headers=headers)


def _wants_yaml(call: Call) -> bool:
    asked = call.text("format")
    return asked == "yaml" or (not asked and "yaml" in call.header("Accept"))


def _is_known(header: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 has it for If-None-Match."""
    known = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in known or tag in known


def _value(view: View, key: str) -> Value:
    value = view.entries[key].value
    if key in view.secrets:
        return Encoded(secret=shown(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Encoded(base64=value)
