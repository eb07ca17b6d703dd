"""Messages, and senders told of them once."""

import asyncio

from syncd.core import cloudevent
from syncd.core.event import Event, EventKind, KeyChange, ToldRevision, shown
from syncd.fanout.sender import Message, Result, Sender

COMMIT = "4f1c9f6c6a5a4b0e8f6f0a3c1d2e5b7a9c8d7e6f"


def message(event: str = "e1", *, size: int = 0, commit: str = COMMIT) -> Message:
    """Make an event as subscribers get it; ``size`` is that of a value in it."""
    change = KeyChange("brain/model", "update", b"x", b"x" * size, shown(b"x"), shown(b"x" * size))
    revision = ToldRevision(commit) if commit else None
    kind: EventKind = "revision" if commit else "foreign"
    return Message(event, cloudevent.encode(Event(event, kind, "e", 7, 0.0, (change,), 1, revision), "shop"))


async def told(sender: Sender, what: Message | None = None) -> Result:
    """Make one try and wait for its end."""
    ended: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    sender.send(what or message(), ended.set_result)
    return await ended
