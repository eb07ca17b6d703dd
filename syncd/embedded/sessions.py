"""Sessions: made, kept alive, ended; what ends with them."""

import uuid

from msgspec import UNSET, Struct
from msgspec.structs import replace

from syncd.embedded import duration
from syncd.embedded.errors import Invalid
from syncd.embedded.records import Session
from syncd.embedded.state import State
from syncd.embedded.step import Changes, Step

NODE = "syncd"
_SECOND = 10**9
_SHORTEST, _LONGEST = 10 * _SECOND, 24 * 3600 * _SECOND
_MOST_LOCK_DELAY = 60 * _SECOND
_CHECK = "serfHealth"  # the one check that a node of ours has, and always passes


class Request(Struct, frozen=True):
    """What ``/v1/session/create`` takes."""

    name: str = ""
    node: str = NODE
    lock_delay: int = 15 * _SECOND
    behavior: str = ""
    ttl: str = ""
    checks: tuple[str, ...] = (_CHECK,)


def create(state: State, request: Request, now: float) -> tuple[Session, Changes]:
    """Add a session."""
    _check(request)
    step = Step(state, now)
    session = Session(
        id=str(uuid.uuid4()),
        name=request.name,
        node=request.node,
        lock_delay=request.lock_delay,
        behavior=request.behavior or "release",
        ttl=request.ttl,
        node_checks=request.checks,
        service_checks=None,
        create_index=step.index,
        modify_index=step.index,
    )
    step.put_session(session)
    extend(state, session, now)
    return session, step.keep()


def _check(request: Request) -> None:
    if not request.node:
        raise Invalid("Must provide Node")
    if request.behavior not in {"", "release", "delete"}:
        raise Invalid(f"Invalid Behavior setting '{request.behavior}'")
    _check_ttl(request.ttl)
    if request.node != NODE:
        raise Invalid("Missing node registration")
    for check in request.checks:
        if check != _CHECK:
            raise Invalid(f"Missing check '{check}' registration")


def _check_ttl(text: str) -> None:
    if not text:
        return
    try:
        ttl = duration.nanoseconds(text)
    except ValueError as problem:
        raise Invalid(f"Session TTL '{text}' invalid: {problem}") from None
    if ttl and not _SHORTEST <= ttl <= _LONGEST:
        raise Invalid(f"Invalid Session TTL '{ttl}', must be between [10s=24h0m0s]")


def extend(state: State, session: Session, now: float) -> None:
    """Let a session live on from now; Consul ends it at twice its TTL."""
    ttl = duration.nanoseconds(session.ttl or "0")
    if ttl:
        state.deadlines[session.id] = now + 2 * ttl / _SECOND


def destroy(state: State, name: str, now: float) -> Changes:
    """End a session, if it is there, and release or delete what it locks."""
    session = state.sessions.get(name)
    if session is None:
        return Changes()
    step = Step(state, now)
    step.remove_session(name)
    for key in [key for key, holder in state.locked.items() if holder == name]:
        _let_go(step, key, session)
    return step.keep()


def _let_go(step: Step, key: bytes, session: Session) -> None:
    entry = step.state.entries.get(key)
    assert entry is not None
    if session.behavior == "delete":
        step.remove(key)
    else:
        step.put(key, replace(entry, session=UNSET, modify_index=step.index))
    delay = min(session.lock_delay, _MOST_LOCK_DELAY)
    if delay > 0:
        step.state.lock_delays[key] = step.now + delay / _SECOND
