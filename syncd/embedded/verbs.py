"""What each KV verb of Consul does, alone or inside a transaction."""

from collections.abc import Callable
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from syncd.embedded.errors import Failed, Invalid, Lost
from syncd.embedded.records import Entry
from syncd.embedded.state import State
from syncd.embedded.step import Step

WRITES = frozenset({"set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"})
Unsigned = Annotated[int, Meta(ge=0)]


class Operation(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """One KV operation, in the shape that ``/v1/txn`` takes it."""

    verb: str = ""
    key: str = ""
    value: bytes | None = None
    flags: Unsigned = 0
    index: Unsigned = 0
    session: str = ""

    @property
    def path(self) -> bytes:
        """The key's bytes: what keys are sorted and matched by."""
        return to_bytes(self.key)


def to_bytes(key: str) -> bytes:
    """Return the bytes of a key."""
    return key.encode("utf-8", "surrogateescape")


def quoted(text: str) -> str:
    """Quote as Go's %q does, for the texts of errors."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def refusal(operation: Operation, state: State, now: float) -> Failed | None:
    """Say why an operation is refused before anything is tried."""
    if not operation.key and operation.verb != "delete-tree":
        return Invalid("Must provide key")
    if operation.verb == "lock" and state.lock_delays.get(operation.path, now) > now:
        return Lost(f"failed to lock key {quoted(operation.key)} due to lock delay")
    return None


def apply(step: Step, operation: Operation) -> list[Entry]:
    """Do one operation and return the entries that its answer shows; raise Lost or Invalid where it fails."""
    verb = _VERBS.get(operation.verb)
    if verb is None:
        raise Invalid(f"unknown KV verb {quoted(operation.verb)}")
    return verb(step, operation)


def _set(step: Step, operation: Operation) -> list[Entry]:
    before = step.state.entries.get(operation.path)
    return _write(step, operation, before, 0, before.session if before else UNSET)


def _cas(step: Step, operation: Operation) -> list[Entry]:
    before = step.state.entries.get(operation.path)
    if operation.index != (before.modify_index if before else 0):
        raise Lost(f"failed to set key {quoted(operation.key)}, index is stale")
    return _set(step, operation)


def _lock(step: Step, operation: Operation) -> list[Entry]:
    check_session_id(operation.session)
    if operation.session not in step.state.sessions:
        raise Invalid(f"invalid session {quoted(operation.session)}")
    before = step.state.entries.get(operation.path)
    if before is None:
        return _write(step, operation, None, 1, operation.session)
    if before.session not in {UNSET, operation.session}:
        raise Lost(f"failed to lock key {quoted(operation.key)}, lock is already held")
    held = before.session == operation.session
    return _write(step, operation, before, before.lock_index + (not held), operation.session)


def check_session_id(session: str) -> None:
    """Refuse what cannot be the id of a session."""
    if not session:
        raise Invalid("missing session")
    if len(session) != 36:
        raise Invalid("failed session lookup: index error: UUID must be 36 characters")


def _unlock(step: Step, operation: Operation) -> list[Entry]:
    if not operation.session:
        raise Invalid("missing session")
    before = step.state.entries.get(operation.path)
    if before is None or before.session != operation.session:
        problem = "lock isn't held, or is held by another session"
        raise Lost(f"failed to unlock key {quoted(operation.key)}, {problem}")
    return _write(step, operation, before, before.lock_index, UNSET)


def _delete(step: Step, operation: Operation) -> list[Entry]:
    if step.state.entries.get(operation.path):
        step.remove(operation.path)
    return []


def _delete_cas(step: Step, operation: Operation) -> list[Entry]:
    before = step.state.entries.get(operation.path)
    if before and before.modify_index != operation.index:
        raise Lost(f"failed to delete key {quoted(operation.key)}, index is stale")
    return _delete(step, operation)


def _delete_tree(step: Step, operation: Operation) -> list[Entry]:
    step.remove_below(operation.path)
    return []


def _get(step: Step, operation: Operation) -> list[Entry]:
    entry = step.state.entries.get(operation.path)
    if entry is None:
        raise Lost(f"key {quoted(operation.key)} doesn't exist")
    return [entry]


def _get_or_empty(step: Step, operation: Operation) -> list[Entry]:
    entry = step.state.entries.get(operation.path)
    return [entry or Entry(0, operation.key, operation.flags, None, modify_index=operation.index)]


def _get_tree(step: Step, operation: Operation) -> list[Entry]:
    return step.state.entries.values(operation.path)


def _check_index(step: Step, operation: Operation) -> list[Entry]:
    entry = step.state.entries.get(operation.path)
    key = quoted(operation.key)
    if entry is None:
        raise Lost(f"failed to check index, key {key} doesn't exist")
    if entry.modify_index != operation.index:
        actual, expected = entry.modify_index, operation.index
        raise Lost(f"failed index check for key {key}, current modify index {actual} != {expected}")
    return [_without_value(entry)]


def _check_session(step: Step, operation: Operation) -> list[Entry]:
    entry = step.state.entries.get(operation.path)
    key = quoted(operation.key)
    if entry is None:
        raise Lost(f"failed to check session, key {key} doesn't exist")
    if (entry.session or "") != operation.session:
        actual, expected = quoted(entry.session or ""), quoted(operation.session)
        raise Lost(f"failed session check for key {key}, current session {actual} != {expected}")
    return [_without_value(entry)]


def _check_not_exists(step: Step, operation: Operation) -> list[Entry]:
    if step.state.entries.get(operation.path):
        raise Lost(f"key {quoted(operation.key)} exists")
    return []


def _write(
    step: Step, operation: Operation, before: Entry | None, lock_index: int, session: str | UnsetType
) -> list[Entry]:
    value = operation.value or None
    if before and _same(before, value, operation.flags, lock_index, session):
        return [_without_value(before)]
    path = operation.path
    key = before.key if before else path.decode("utf-8", "replace")
    created = before.create_index if before else step.index
    entry = Entry(lock_index, key, operation.flags, value, session, created, step.index)
    step.put(path, entry)
    return [_without_value(entry)]


def _same(entry: Entry, value: bytes | None, flags: int, lock_index: int, session: str | UnsetType) -> bool:
    return (entry.value, entry.flags, entry.lock_index, entry.session) == (value, flags, lock_index, session)


def _without_value(e: Entry) -> Entry:
    return Entry(e.lock_index, e.key, e.flags, None, e.session, e.create_index, e.modify_index)


_VERBS: dict[str, Callable[[Step, Operation], list[Entry]]] = {
    "set": _set,
    "cas": _cas,
    "lock": _lock,
    "unlock": _unlock,
    "delete": _delete,
    "delete-cas": _delete_cas,
    "delete-tree": _delete_tree,
    "get": _get,
    "get-or-empty": _get_or_empty,
    "get-tree": _get_tree,
    "check-index": _check_index,
    "check-session": _check_session,
    "check-not-exists": _check_not_exists,
}
