"""``/v1/kv/``."""

from collections.abc import Iterator

from aiohttp.web import Response

from syncd.embedded.errors import Invalid
from syncd.embedded.http import answers
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.http.reads import check_datacenter, read
from syncd.embedded.node import Node
from syncd.embedded.state import State
from syncd.embedded.verbs import Operation
from syncd.embedded.watches import Kind, Topic

LARGEST_VALUE = 524_288


async def get(node: Node, call: Call) -> Response:
    """Read a key, a subtree or its keys."""
    if call.has("keys"):
        return await _keys(node, call)
    if call.has("recurse"):
        return await _recurse(node, call)
    _check_key(call)
    key = call.rest
    index, entry = await read(node, call, Topic(Kind.KEY, key), lambda state: state.get(key))
    if entry is None:
        return answers.missing(index)
    if call.has("raw"):
        return answers.raw(entry.value or b"", index)
    return answers.json([entry], answers.meta(index), pretty=call.has("pretty"))


async def _recurse(node: Node, call: Call) -> Response:
    prefix = call.rest
    index, entries = await read(node, call, Topic(Kind.BELOW, prefix), lambda state: state.below(prefix))
    if not entries:
        return answers.missing(index)
    return answers.json(entries, answers.meta(index), pretty=call.has("pretty"))


async def _keys(node: Node, call: Call) -> Response:
    prefix = call.rest
    # Consul takes an old misspelling too.
    separator = call.query.get("separator", call.query.get("seperator", "")).encode("utf-8", "surrogateescape")

    def look(state: State) -> tuple[int, list[bytes]]:
        index, _ = state.below(prefix)
        return index, state.entries.keys(prefix)

    index, keys = await read(node, call, Topic(Kind.BELOW, prefix), look)
    if not keys and prefix:
        return answers.missing(index)
    shown = [key.decode("utf-8", "replace") for key in _cut(keys, len(prefix), separator)]
    return answers.json(shown, answers.meta(index), pretty=call.has("pretty"))


def _cut(keys: list[bytes], start: int, separator: bytes) -> Iterator[bytes]:
    last = None
    for key in keys:
        at = key.find(separator, start) if separator else -1
        shown = key if at < 0 else key[: at + len(separator)]
        if at < 0 or shown != last:
            yield shown
        last = shown


async def put(node: Node, call: Call) -> Response:
    """Write a key: plainly, by compare-and-set, or taking or giving back its lock."""
    _check_key(call)
    call.refuse_conflicting("cas", "acquire", "release")
    verb, index, session = _write_mode(call)
    flags = call.number("flags") if call.has("flags") else 0
    value = await call.body(LARGEST_VALUE, "kv_max_value_size")
    return await _write(node, call, Operation(verb, call.name, value, flags, index, session))


def _write_mode(call: Call) -> tuple[str, int, str]:
    if call.has("cas"):
        return "cas", call.number("cas"), ""
    if call.has("acquire"):
        return "lock", 0, call.query["acquire"]
    if call.has("release"):
        return "unlock", 0, call.query["release"]
    return "set", 0, ""


async def delete(node: Node, call: Call) -> Response:
    """Delete a key or a subtree."""
    call.refuse_conflicting("recurse", "cas")
    if call.has("recurse"):
        return await _write(node, call, Operation("delete-tree", call.name))
    _check_key(call)
    if call.has("cas"):
        return await _write(node, call, Operation("delete-cas", call.name, index=call.number("cas")))
    return await _write(node, call, Operation("delete", call.name))


async def _write(node: Node, call: Call, operation: Operation) -> Response:
    check_datacenter(call)
    outcome = await node.write([operation])
    for _, failure in outcome.failures:
        if isinstance(failure, Invalid):
            raise failure
    return answers.json(not outcome.failures)


def _check_key(call: Call) -> None:
    if not call.rest:
        raise Problem(400, "Missing key name")
