"""``/v1/txn``, for keys."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp.web import Response
from msgspec import Struct

from syncd.embedded.apply import Outcome
from syncd.embedded.http import answers
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.http.reads import check_consistency, check_datacenter
from syncd.embedded.node import Node
from syncd.embedded.records import Entry
from syncd.embedded.verbs import WRITES, Operation

MOST_OPERATIONS = 128  # Consul's since 1.14, 64 before
LARGEST_BODY = 524_288


class _Wrapped(Struct, frozen=True, forbid_unknown_fields=True):
    """An operation as it stands in the body; only those on keys are known here."""

    KV: Operation | None = None
    Node: Any = None
    Service: Any = None
    Check: Any = None
    Session: Any = None


class _Result(Struct, frozen=True):
    KV: Entry


class _Error(Struct, frozen=True):
    OpIndex: int
    What: str


class _Answer(Struct, frozen=True):
    Results: list[_Result] | None
    Errors: list[_Error] | None


class _ReadAnswer(_Answer, frozen=True):
    """What a transaction without a write says besides; Consul leaves its index at 0."""

    Index: int = 0
    LastContact: int = 0
    KnownLeader: bool = True
    ConsistencyLevel: str = ""


_decoder: msgspec.json.Decoder[list[_Wrapped] | None] = msgspec.json.Decoder(list[_Wrapped] | None)


async def put(node: Node, call: Call) -> Response:
    """Apply a transaction."""
    check_consistency(call)
    check_datacenter(call)
    operations = _decode(await call.body(LARGEST_BODY, "txn_max_req_len"))
    outcome = await node.write(operations)
    writes = any(operation.verb in WRITES for operation in operations)
    return _answer(outcome, read_only=not writes, pretty=call.has("pretty"))


def _answer(outcome: Outcome, *, read_only: bool, pretty: bool) -> Response:
    results = None if outcome.failures else [_Result(entry) for entry in outcome.entries]
    errors = [_Error(at, str(failure)) for at, failure in outcome.failures] or None
    answer = _ReadAnswer(results, errors) if read_only else _Answer(results, errors)
    headers = answers.meta() if read_only else None
    return answers.json(answer, headers, status=409 if errors else 200, pretty=pretty)


def _decode(body: bytes) -> list[Operation]:
    try:
        wrapped = _parse(body) or []
    except (msgspec.DecodeError, RecursionError) as problem:
        raise Problem(400, f"Failed to parse body: {problem}") from None
    if len(wrapped) > MOST_OPERATIONS:
        raise Problem(413, f"Transaction contains too many operations ({len(wrapped)} > {MOST_OPERATIONS})")
    if any(each.Node or each.Service or each.Check or each.Session for each in wrapped):
        raise Problem(400, "syncd's embedded store knows transactions on KV only")
    operations = [each.KV for each in wrapped if each.KV]
    if any(operation.flags >= 2**64 for operation in operations):
        raise Problem(400, "Failed to parse body: Flags is more than 64 bits")
    return operations


def _parse(body: bytes) -> list[_Wrapped] | None:
    try:
        return _decoder.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        # Go takes field names in any case and mends bad UTF-8; nobody's client needs that to be fast.
        named = _with_go_names(msgspec.json.decode(body.decode("utf-8", "replace")))
        return msgspec.convert(named, list[_Wrapped] | None)


def _with_go_names(decoded: object) -> object:
    if not isinstance(decoded, list):
        return decoded
    return [_renamed(each, _Wrapped, lambda inner: _renamed(inner, Operation)) for each in decoded]


def _renamed(fields: object, struct: type[Struct], deeper: Callable[[object], object] = lambda value: value) -> object:
    if not isinstance(fields, dict):
        return fields
    names = {name.lower(): name for name in struct.__struct_encode_fields__}
    return {names.get(name.lower(), name): deeper(value) for name, value in fields.items()}
