"""What all reads have in common: consistency, datacenter, blocking."""

import random
from collections.abc import Callable
from typing import TypeVar

from syncd.embedded import duration
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call, unsigned
from syncd.embedded.node import Node
from syncd.embedded.state import State
from syncd.embedded.watches import Topic

R = TypeVar("R")
DATACENTER = "dc1"
_WAIT, _LONGEST_WAIT = 300.0, 600.0


def check_datacenter(call: Call) -> None:
    """Refuse a datacenter that is not ours."""
    if call.query.get("dc") not in {None, "", DATACENTER}:
        raise Problem(500, "No path to datacenter")


def check_consistency(call: Call) -> None:
    """Refuse a contradiction; a single node is always consistent."""
    if call.has("stale") and call.has("consistent"):
        raise Problem(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")


async def read(node: Node, call: Call, topic: Topic, look: Callable[[State], tuple[int, R]]) -> tuple[int, R]:
    """Look at the state, blocking if the call asks for it."""
    if not call.query:
        return await node.read(topic, look)
    wait = _wait(call.query.get("wait"))
    after = _index(call.query.get("index"))
    check_consistency(call)
    check_datacenter(call)
    spread = random.uniform(0, wait / 16)  # noqa: S311  # spreads wake-ups, keeps no secret
    return await node.read(topic, look, after, wait + spread)


def _wait(text: str | None) -> float:
    try:
        seconds = duration.nanoseconds(text) / 1e9 if text else 0.0
    except ValueError:
        raise Problem(400, "Invalid wait time") from None
    return min(seconds, _LONGEST_WAIT) if seconds > 0 else _WAIT


def _index(text: str | None) -> int:
    index = unsigned(text or "0")
    if index is None or index >= 2**64:
        raise Problem(400, "Invalid index")
    return index
