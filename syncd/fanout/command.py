"""Telling a program: it is started for each event and gets it on its standard input."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from syncd.core.subscriber import Command
from syncd.fanout.attempt import Attempt
from syncd.fanout.program import run
from syncd.fanout.sender import Done, Message, Result
from syncd.log import get_logger

_log = get_logger(__name__)
_PASSED: Final = ("PATH", "HOME", "TZ", "LANG")


class CommandSender:
    """Tells one program. It runs in ``/``; what it prints is logged, so it must print no secret."""

    def __init__(self, name: str, target: Command, *, environment: Mapping[str, str] = os.environ) -> None:
        self._name = name
        self._target = target
        self._environment = environment
        self._attempt = Attempt(name)

    def send(self, message: Message, done: Done) -> None:
        """Start the program."""
        self._attempt.start(partial(execute, self._name, self._target, message, self._environment), done)

    async def close(self) -> None:
        """End the program, and whatever it has started."""
        await self._attempt.give_up()


async def execute(name: str, target: Command, message: Message, environment: Mapping[str, str]) -> Result:
    """Run a subscriber's program once for a message."""
    variables = dict(passed(environment)) | _told(name, message)
    ended = await run(target.argv, stdin=message.body, environment=variables, limit=target.timeout)
    if ended.output:
        level = "warning" if ended.fault else "debug"
        _log.log(level, "the command printed", subscriber=name, output=ended.output)
    return Result("failed", ended.fault) if ended.fault else Result("delivered", "exit 0")


class _Revision(msgspec.Struct):
    commit: str


class _Content(msgspec.Struct):
    prefix: str
    revision: _Revision | None = None


class _Event(msgspec.Struct):
    """What a program is told of an event beside its standard input."""

    type: str
    data: _Content


def passed(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pass on what programs need to run at all: never a token, nor what belongs to the daemon."""
    return ((name, value) for name, value in environment.items() if name in _PASSED or name.startswith("LC_"))


def _told(name: str, message: Message) -> dict[str, str]:
    event = msgspec.json.decode(message.body, type=_Event)
    revision = event.data.revision
    return {
        "SYNCD_EVENT_ID": message.id,
        "SYNCD_EVENT_TYPE": event.type,
        "SYNCD_EVENT_PREFIX": event.data.prefix,
        "SYNCD_EVENT_COMMIT": revision.commit if revision else "",
        "SYNCD_EVENT_SUBSCRIBER": name,
    }
