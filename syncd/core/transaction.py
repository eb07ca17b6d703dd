"""Batches: a plan's changes as the bodies of Consul transactions, each proving lease and record itself.

Borrowed limits: 64 operations (Consul up to 1.13) and 524,288 bytes of JSON body, base64 counted.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from syncd.core import keys
from syncd.core.change import DELETE, RELEASE, Change
from syncd.core.mark import mark_of

MAX_BODY_BYTES: Final = 524_288
MAX_CHANGES: Final = 62
"""64 operations less the two checks in front."""


class Fence(msgspec.Struct, frozen=True):
    """What each transaction proves: that ``session`` holds the lease, and that nobody has moved the record."""

    source: str
    prefix: str
    session: str


class Batch(msgspec.Struct, frozen=True):
    """One transaction: its body and the changes in it."""

    body: bytes
    changes: tuple[Change, ...]


class Large(msgspec.Struct, frozen=True):
    """A change that no transaction holds: it goes by ``PUT ?cas=`` and is read back."""

    change: Change
    flags: int


def record_batch(fence: Fence, record: bytes, index: int, changes: Iterable[Change] = ()) -> Batch:
    """Write the record by compare-and-set at ``index`` (0: it must not exist), together with changes."""
    held = tuple(changes)
    mark, below = mark_of(fence.source), keys.own_prefix(fence.prefix)
    cas = _kv(_Cas(keys.record_key(fence.prefix), record, 0, index))
    return Batch(_body([_session(fence), cas, *(_operation(below, change, mark) for change in held)]), held)


def in_one(fence: Fence, record: bytes, index: int, changes: tuple[Change, ...]) -> Batch | None:
    """Put a whole plan and its record into one transaction, or answer None where that does not fit."""
    if len(changes) > MAX_CHANGES:
        return None
    if sum(len(change.value) for change in changes if change.operation is not DELETE) > MAX_BODY_BYTES:
        return None
    batch = record_batch(fence, record, index, changes)
    return batch if len(batch.body) <= MAX_BODY_BYTES else None


def batches(fence: Fence, index: int, changes: Iterable[Change]) -> Iterator[Batch | Large]:
    """Cut changes into transactions that hold only while the record stands at ``index``; keeps their order.

    Only a Large may come before its turn: no two changes touch one key, so that nothing depends on it.
    """
    front = [_session(fence), _check(fence, index)]
    start = len(_body(front))
    flags, size, held, operations = mark_of(fence.source), start, list[Change](), list[bytes]()
    below = keys.own_prefix(fence.prefix)
    for change in changes:
        operation = _operation(below, change, flags)
        length = len(operation) + 1
        if start + length > MAX_BODY_BYTES:
            yield Large(change, flags_of(change, flags))
            continue
        if size + length > MAX_BODY_BYTES or len(held) == MAX_CHANGES:
            yield Batch(_body(front + operations), tuple(held))
            size, held, operations = start, [], []
        held.append(change)
        operations.append(operation)
        size += length
    if held:
        yield Batch(_body(front + operations), tuple(held))


def flags_of(change: Change, mark: int) -> int:
    """Return the flags that a key has after a change."""
    return 0 if change.operation is RELEASE else mark


class _Cas(msgspec.Struct, gc=False, omit_defaults=True, tag_field="Verb", tag="cas"):
    Key: str
    Value: bytes
    Flags: int = 0
    Index: int = 0  # the key must not exist: so in all of a full load, and what is not said the server need not read


class _DeleteCas(msgspec.Struct, gc=False, tag_field="Verb", tag="delete-cas"):
    Key: str
    Index: int


class _CheckSession(msgspec.Struct, gc=False, tag_field="Verb", tag="check-session"):
    Key: str
    Session: str


class _CheckIndex(msgspec.Struct, gc=False, tag_field="Verb", tag="check-index"):
    Key: str
    Index: int


_encode: Final = msgspec.json.Encoder().encode


def _kv(operation: msgspec.Struct) -> bytes:
    return b'{"KV":%b}' % _encode(operation)


def _operation(below: str, change: Change, mark: int) -> bytes:
    key, before, wanted = below + change.key, change.before, change.wanted
    index = before.index if before is not None else 0
    if wanted is not None:  # first, because a full load is nothing else
        return _kv(_Cas(key, wanted.value, mark, index))
    if change.operation is DELETE:
        return _kv(_DeleteCas(key, index))
    return _kv(_Cas(key, change.value, flags_of(change, mark), index))


def _session(fence: Fence) -> bytes:
    return _kv(_CheckSession(keys.lease_key(fence.prefix), fence.session))


def _check(fence: Fence, index: int) -> bytes:
    return _kv(_CheckIndex(keys.record_key(fence.prefix), index))


def _body(operations: list[bytes]) -> bytes:
    return b"[" + b",".join(operations) + b"]"
