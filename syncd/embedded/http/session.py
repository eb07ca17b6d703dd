"""``/v1/session/``."""

from typing import Any

import msgspec
from aiohttp.web import Response

from syncd.embedded import duration, sessions
from syncd.embedded.http import answers
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.http.reads import check_datacenter, read
from syncd.embedded.node import Node
from syncd.embedded.records import Session
from syncd.embedded.state import State
from syncd.embedded.verbs import check_session_id
from syncd.embedded.watches import SESSIONS

_LARGEST_BODY = 65_536
_SECOND = 10**9


async def create(node: Node, call: Call) -> Response:
    """Make a session."""
    check_datacenter(call)
    request = _decode(await call.body(_LARGEST_BODY, "limits"))
    session = await node.create_session(request)
    return answers.json({"ID": session.id}, pretty=call.has("pretty"))


async def renew(node: Node, call: Call) -> Response:
    """Keep a session alive."""
    name = _name(call)
    session = await node.renew_session(name)
    if session is None:
        raise Problem(404, f"Session id '{name}' not found")
    return answers.json([session], pretty=call.has("pretty"))


async def destroy(node: Node, call: Call) -> Response:
    """End a session; one that is not there is ended already."""
    await node.destroy_session(_name(call))
    return answers.json(value=True)


async def info(node: Node, call: Call) -> Response:
    """Show a session: a list of one or none."""
    name = _name(call)

    def look(state: State) -> tuple[int, list[Session]]:
        session = state.sessions.get(name)
        return state.indexes.sessions, [session] if session else []

    index, found = await read(node, call, SESSIONS, look)
    return answers.json(found, answers.meta(index), pretty=call.has("pretty"))


async def listing(node: Node, call: Call) -> Response:
    """Show all sessions."""
    index, found = await read(node, call, SESSIONS, State.session_list)
    return answers.json(found, answers.meta(index), pretty=call.has("pretty"))


async def of_node(node: Node, call: Call) -> Response:
    """Show the sessions of a node."""
    if not call.rest:
        raise Problem(400, "Missing node name")
    index, found = await read(node, call, SESSIONS, lambda state: state.session_list(call.name))
    return answers.json(found, answers.meta(index), pretty=call.has("pretty"))


def _name(call: Call) -> str:
    check_datacenter(call)
    if not call.rest:
        raise Problem(400, "Missing session")
    check_session_id(call.name)
    return call.name


def _decode(body: bytes) -> sessions.Request:
    try:
        return msgspec.convert(_fields(body), sessions.Request)
    except (ValueError, RecursionError) as problem:  # msgspec's errors are ValueErrors
        raise Problem(400, f"Request decode failed: {problem}") from None


def _fields(body: bytes) -> dict[str, Any]:
    """Return the fields that are known and not null; Go takes their names in any case."""
    text = body.decode("utf-8", "replace").strip()
    found = msgspec.json.decode(text, type=dict[str, Any] | None) if text else None
    named = {_FIELDS.get(name.lower()): value for name, value in (found or {}).items() if value is not None}
    if "lock_delay" in named:
        named["lock_delay"] = _lock_delay(named["lock_delay"])
    return {name: value for name, value in named.items() if name}


_FIELDS = {
    "name": "name",
    "node": "node",
    "lockdelay": "lock_delay",
    "behavior": "behavior",
    "ttl": "ttl",
    "checks": "checks",
    "nodechecks": "checks",
}


def _lock_delay(value: object) -> object:
    """Read a duration, or a number: of seconds if it is small, else of nanoseconds."""
    if isinstance(value, str):
        return duration.nanoseconds(value)
    if isinstance(value, int | float) and abs(value) < 2**63:
        return int(value * _SECOND if value < 1000 else value)
    raise ValueError("LockDelay is no duration")
