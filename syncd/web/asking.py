"""Routes that tell how things stand."""

import msgspec
from aiohttp.web import Response

from syncd.daemon.door import Door
from syncd.daemon.line import Standings
from syncd.fanout.tables import Delivery
from syncd.web import answers
from syncd.web.calls import Call

MOST_DELIVERIES = 1000


class ReadyAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a whole revision is published; if not, why not."""

    ready: bool
    why: str = ""
    hint: str = ""


class SubscribersAnswer(msgspec.Struct, frozen=True):
    """Every subscriber, by name."""

    subscribers: list[Standings]


class DeliveriesAnswer(msgspec.Struct, frozen=True):
    """Deliveries that came to an end, the newest first."""

    deliveries: list[Delivery]


async def health(door: Door, _call: Call) -> Response:
    """Say that the daemon lives, or which loops are stuck; of a watch not on which keys, for anybody may ask."""
    stuck = sorted({loop.partition(" of ")[0] for loop in door.late()})
    return answers.text(f"stuck: {', '.join(stuck)}", status=503) if stuck else answers.text("ok")


async def readiness(door: Door, _call: Call) -> Response:
    """Say whether a whole revision is published."""
    if door.view.ready:
        return answers.json(ReadyAnswer(ready=True))
    error = door.passes.error or door.passes.source_error
    why = error.message if error else "no whole revision was seen yet"
    return answers.json(ReadyAnswer(ready=False, why=why, hint=error.hint if error else ""), status=503)


async def status(door: Door, _call: Call) -> Response:
    """Say how things stand."""
    return answers.json(await door.status.read())


async def drift(door: Door, _call: Call) -> Response:
    """List the keys that are not what the applied commit says."""
    return answers.json(await door.status.drift())


async def plan(door: Door, _call: Call) -> Response:
    """Draw up what an apply of the branch's tip would change."""
    return answers.json(await door.plan())


async def subscribers(door: Door, _call: Call) -> Response:
    """List the subscribers, and how each stands."""
    return answers.json(SubscribersAnswer(door.dispatcher.standings()))


async def deliveries(door: Door, call: Call) -> Response:
    """List a subscriber's deliveries."""
    found = await door.dispatcher.deliveries(call.path["name"], call.number("most", 50))
    return answers.json(DeliveriesAnswer(found))
