"""Routes that order something."""

from typing import Annotated

import msgspec
from aiohttp.web import Response

from syncd.daemon.door import Door
from syncd.fanout.sender import Result
from syncd.log import get_logger
from syncd.web import answers
from syncd.web.answers import Refusal
from syncd.web.calls import Call

log = get_logger(__name__)

Author = Annotated[str, msgspec.Meta(max_length=200)]


class SyncOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wait for a pass, or until a commit is applied ("": the branch's tip)."""

    commit: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ApproveOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Approve the plan of that hash; without an author, the caller's name stands in."""

    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    author: Author = ""


class PauseOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Have nothing written."""

    author: Author = ""
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class ResumeOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lift a pause."""

    author: Author = ""


class TestOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is to be said of it."""


class ReplayOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tell a subscriber anew: all since a time (Unix seconds), or from an event on, or the full state."""

    since: Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)] | None = None
    event: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class ReplayAnswer(msgspec.Struct, frozen=True):
    """The subscriber is told anew from now on."""

    replaying: str


async def sync(door: Door, call: Call) -> Response:
    """Have a pass begin, and tell what it came to."""
    order = await call.body(SyncOrder)
    return answers.json(await door.sync(order.commit))


async def approve(door: Door, call: Call) -> Response:
    """Approve exactly one plan."""
    order = await call.body(ApproveOrder)
    author = order.author or call.caller.name
    ordered = await door.approve(order.hash, author)
    log.info("a plan was approved", hash=order.hash, by=author, caller=call.caller.name)
    return answers.json(ordered)


async def pause(door: Door, call: Call) -> Response:
    """Pause."""
    order = await call.body(PauseOrder)
    return answers.json(await door.pause(order.author or call.caller.name, order.reason))


async def resume(door: Door, call: Call) -> Response:
    """Resume."""
    order = await call.body(ResumeOrder)
    return answers.json(await door.resume(order.author or call.caller.name))


async def test(door: Door, call: Call) -> Response:
    """Send a subscriber a message that tells nothing."""
    await call.body(TestOrder)
    found: Result = await door.test(call.path["name"])
    return answers.json(found)


async def replay(door: Door, call: Call) -> Response:
    """Tell a subscriber anew."""
    order, name = await call.body(ReplayOrder), call.path["name"]
    if order.since is not None and order.event is not None:
        raise Refusal(400, "give since or event, not both")
    await door.dispatcher.replay(name, since=order.since, event=order.event)
    return answers.json(ReplayAnswer(name))
