"""Messages, and senders told of them once."""

import asyncio
import json

from syncd.fanout.sender import Message, Result, Sender

COMMIT = "4f1c9f6c6a5a4b0e8f6f0a3c1d2e5b7a9c8d7e6f"


def message(event: str = "e1", *, size: int = 0, commit: str = COMMIT) -> Message:
    """Make an event as subscribers get it; ``size`` is that of a value in it."""
    body = {
        "specversion": "1.0",
        "id": event,
        "type": "syncd.revision.applied.v1" if commit else "syncd.keys.changed.v1",
        "source": "urn:syncd:shop",
        "subject": "shop",
        "data": {
            "prefix": "shop",
            "revision": {"commit": commit} if commit else None,
            "changes": [{"key": "brain/model", "operation": "update", "new": "x" * size}],
            "count": 1,
        },
    }
    return Message(event, json.dumps(body).encode())


async def told(sender: Sender, what: Message | None = None) -> Result:
    """Make one try and wait for its end."""
    ended: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    sender.send(what or message(), ended.set_result)
    return await ended
