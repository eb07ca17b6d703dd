"""Linux's own notices of changed folders, read by the event loop itself: no thread, no CPU while nothing happens."""

import asyncio
import ctypes
import os
import struct
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

# inotify(7): a file was written, came, went or was renamed; the folder itself went or was renamed.
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x0100_0000
_MASK: Final = (
    _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
)
_EVENT: Final = struct.Struct("iIII")
_PORTION: Final = 64 * 1024


def available() -> bool:
    """Tell whether the system has inotify, and has some of it left to give."""
    try:
        os.close(_open())
    except (OSError, AttributeError):  # no such system call, a limit; no such function
        return False
    return True


async def notices(folders: Sequence[Path], every: float) -> AsyncGenerator[tuple[Path, ...], None]:
    """Yield at once what changed in the folders (not below them), or nothing where nothing did for ``every`` seconds.

    A folder that went, and notices that were lost, are told as changes of folders. Raise OSError where a folder cannot
    be watched.
    """
    loop, stirred, descriptor = asyncio.get_running_loop(), asyncio.Event(), _open()
    try:
        places = {_watch(descriptor, folder): folder for folder in folders}
        loop.add_reader(descriptor, stirred.set)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stirred.wait()
            yield tuple(_read(descriptor, places))
            stirred.clear()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _open() -> int:
    return _checked(ctypes.CDLL(None, use_errno=True).inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def _watch(descriptor: int, folder: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return _checked(libc.inotify_add_watch(descriptor, os.fsencode(folder), _MASK))


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _read(descriptor: int, places: Mapping[int, Path]) -> Iterator[Path]:
    try:
        events = os.read(descriptor, _PORTION)
    except BlockingIOError:
        return
    at = 0
    while at < len(events):
        watch, _, _, length = _EVENT.unpack_from(events, at)
        at += _EVENT.size + length
        if watch in places:
            yield places[watch] / os.fsdecode(events[at - length : at].rstrip(b"\0"))
        else:  # the queue ran over
            yield from places.values()
