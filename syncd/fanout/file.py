"""Telling through a file: rendered from the last whole revision; who reads it is told when that changed it."""

import os
import re
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from syncd.core.errors import SyncdError
from syncd.core.subscriber import File
from syncd.core.text import printable
from syncd.fanout.attempt import Attempt
from syncd.fanout.command import execute
from syncd.fanout.place import Wanted, look, put, read, sync_folder
from syncd.fanout.published import Published
from syncd.fanout.sender import Done, Message, Result
from syncd.fanout.template import GivenUp, render, template_text
from syncd.fanout.thread import Busy, GoOn, Worker
from syncd.settings.durations import render_duration

LIMIT: Final = 30.0
"""Seconds for rendering and writing."""
_PID: Final = re.compile(rb"\s*([0-9]{1,7})\s*")


class FileSender:
    """Keeps one file as its template says.

    ``published`` returns the last whole revision, None before there is one. ``owed`` is a path in the state directory:
    a file stands there from before the file changes until command and signal have succeeded, so that neither a crash
    nor a delivery that was given up keeps a change from those who read it. ``limit`` is in seconds.
    """

    def __init__(
        self,
        name: str,
        target: File,
        published: Callable[[], Published | None],
        owed: Path,
        *,
        limit: float = LIMIT,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._name = name
        self._target = target
        self._published = published
        self._owed = owed
        self._limit = limit
        self._environment = environment
        self._attempt = Attempt(name)
        self._worker = Worker(f"file of {name}")

    def send(self, message: Message, done: Done) -> None:
        """Bring the file up to date."""
        self._attempt.start(partial(self._try, message), done)

    async def close(self) -> None:
        """End the command, or stop rendering."""
        await self._attempt.give_up()
        await self._worker.close()

    async def _try(self, message: Message) -> Result:
        try:
            return await self._deliver(message)
        except TimeoutError:
            return Result("failed", f"no end in {render_duration(self._limit)}")
        except Busy:
            return Result("failed", "the try before has not ended yet")
        except SyncdError as error:
            return Result("failed", printable(str(error)))
        except OSError as error:
            return Result("failed", printable(f"{error.filename or self._target.path}: {error.strerror}"))

    async def _deliver(self, message: Message) -> Result:
        published = self._published()
        if published is None:
            return Result("failed", "the store has not been read yet")
        said = await self._worker.run(partial(bring, self._target, published, self._owed), self._limit)
        if said != "owed":
            return Result("delivered", said)
        if self._target.command:
            result = await execute(self._name, self._target.command, message, self._environment)
            if result.outcome == "failed":
                return result
        await self._worker.run(partial(_settle, self._target, self._owed), self._limit)
        return Result("delivered", "written")


def bring(target: File, published: Published, owed: Path, go_on: GoOn) -> str:
    """Render and write; say ``unchanged``, ``written``, or ``owed`` where command and signal are still to follow."""
    template = Path(target.template)
    content = render(template, template_text(template), published, go_on)
    wanted = Wanted(Path(target.path), content, target.mode, target.owner, target.group)
    standing = look(wanted)

    def before() -> None:
        if not go_on():
            raise GivenUp
        if not standing.content and (target.command or target.signal):
            owed.touch()
            sync_folder(owed.parent)

    if not (standing.content and standing.rights):
        put(wanted, before)
    return "owed" if owed.exists() else "unchanged" if standing.content and standing.rights else "written"


def _settle(target: File, owed: Path, _: GoOn) -> None:
    if target.signal:
        _send_signal(Path(target.pid_file), signal.Signals[f"SIG{target.signal}"])
    owed.unlink()


def _send_signal(pid_file: Path, number: signal.Signals) -> None:
    found = _PID.fullmatch(read(pid_file, 64))
    if not found or int(found[1]) < 2:
        raise SyncdError("holds no process's number", where=str(pid_file))
    try:
        os.kill(int(found[1]), number)
    except OSError as error:
        raise SyncdError(
            f"process {int(found[1])} cannot be signalled: {error.strerror}", where=str(pid_file)
        ) from None
