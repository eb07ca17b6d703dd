"""Running somebody else's program once: in a process group of its own, bounded in time and in output."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

import msgspec

from syncd.settings.durations import render_duration

GRACE: Final = 2.0
"""Seconds from SIGTERM to SIGKILL, and how long SIGKILL may take."""
MOMENT: Final = 0.5
"""Seconds in which what a program started may still print after it has ended itself."""
KEPT: Final = 8 * 1024
"""Bytes of output that are kept, the last ones."""
_READ: Final = 64 * 1024


class Ended(msgspec.Struct, frozen=True):
    """How a program ended: what went wrong, "" for exit code 0, and the last of what it printed."""

    fault: str
    output: str


async def run(argv: Sequence[str], *, stdin: bytes, environment: Mapping[str, str], limit: float) -> Ended:
    """Run a program to its end, or for ``limit`` seconds. Whatever it left in its group is killed, cancelled or not."""
    try:
        program = Program.start(argv, stdin, environment)
    except OSError as error:
        return Ended(f"cannot be started: {argv[0]}: {error.strerror}", "")
    in_time = False
    try:
        in_time = await program.ends_within(limit)
    finally:
        code = await program.end()
    fault = _fault(code) if in_time else f"no end in {render_duration(limit)}"
    if code is None:
        fault += ", and it cannot be killed"
    return Ended(fault, program.output)


class Program:
    """A running program and what it starts in its group.

    It stays a zombie until its group has been killed: nobody else can get its number before that.
    """

    def __init__(self, process: subprocess.Popen[bytes], handle: int, pipe: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._handle = handle
        self._pipe = pipe
        self._ended = asyncio.Event()
        self._silent = asyncio.Event()
        self._kept = bytearray()
        self._cut = False
        self._loop.add_reader(handle, self._on_end)
        self._loop.add_reader(pipe, self._on_output)

    @classmethod
    def start(cls, argv: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> Self:
        """Start a program; OSError where it cannot be."""
        pipe, printing = os.pipe()
        try:
            os.set_blocking(pipe, False)
            process = _spawn(argv, stdin, environment, printing)
            try:
                return cls(process, os.pidfd_open(process.pid), pipe)
            except OSError:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        except BaseException:
            os.close(pipe)
            raise
        finally:
            os.close(printing)

    @property
    def output(self) -> str:
        """The last of what it printed, on either stream."""
        return ("… " if self._cut else "") + self._kept.decode(errors="backslashreplace")

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the program itself, whatever it has started."""
        return await _within(self._ended, seconds)

    async def end(self) -> int | None:
        """Leave nothing running in its group; return its code as ``Popen`` has it, None if it could not be killed."""
        try:
            if self._ended.is_set():
                await _within(self._silent, MOMENT)
            else:
                self._signal(signal.SIGTERM)
                await _within(self._ended, GRACE)
            self._signal(signal.SIGKILL)
            await _within(self._ended, GRACE)
        finally:
            self._signal(signal.SIGKILL)
            self._close()
        return self._process.poll()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # what changed its user cannot be signalled
            os.killpg(self._process.pid, number)

    def _on_end(self) -> None:
        self._loop.remove_reader(self._handle)
        self._ended.set()

    def _on_output(self) -> None:
        """Keep the last of it; the rest is read too, for a full pipe would stop the program."""
        try:
            printed = os.read(self._pipe, _READ)
        except BlockingIOError:
            return
        if not printed:
            self._loop.remove_reader(self._pipe)
            self._silent.set()
            return
        self._kept += printed[-KEPT:]
        self._cut = self._cut or len(printed) > KEPT or len(self._kept) > KEPT
        del self._kept[:-KEPT]

    def _close(self) -> None:
        for number in (self._handle, self._pipe):
            self._loop.remove_reader(number)
            os.close(number)


def _spawn(argv: Sequence[str], stdin: bytes, environment: Mapping[str, str], printing: int) -> subprocess.Popen[bytes]:
    """Start it with its input whole in memory: a program that reads nothing, or late, holds up nobody."""
    memory = os.memfd_create("event")
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(stdin)
        os.lseek(memory, 0, os.SEEK_SET)
        return subprocess.Popen(
            argv,
            stdin=memory,
            stdout=printing,
            stderr=printing,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(memory)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def _fault(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit {code}" if code else ""
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
