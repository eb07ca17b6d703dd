"""Putting a file where somebody reads it: whole, or not at all."""

import errno
import grp
import os
import pwd
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.errors import SyncdError

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Opening a pipe for reading would wait for somebody who writes."""


class Wanted(msgspec.Struct, frozen=True):
    """A file as it shall be; "" for owner and group leaves them, in a new file to the process's own."""

    path: Path
    content: bytes
    mode: int
    owner: str = ""
    group: str = ""


class Standing(msgspec.Struct, frozen=True):
    """What of a file already is as it shall be."""

    content: bool
    rights: bool


def look(wanted: Wanted) -> Standing:
    """Compare what stands at the path. A symbolic link is nothing that is wanted; SyncdError for an unknown owner."""
    uid, gid = _ids(wanted)
    found = _stat(wanted.path)
    if not found or stat.S_ISLNK(found.st_mode):
        return Standing(content=False, rights=False)
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(errno.EEXIST, "something stands there that is no file", str(wanted.path))
    rights = stat.S_IMODE(found.st_mode) == wanted.mode and uid in {-1, found.st_uid} and gid in {-1, found.st_gid}
    return Standing(content=found.st_size == len(wanted.content) and _holds(wanted), rights=rights)


def put(wanted: Wanted, before: Callable[[], None]) -> None:
    """Replace what stands at the path in one step; ``before`` is called when all but that step is done.

    A symbolic link is replaced itself, not what it points to. OSError, SyncdError: the old file stands as it was.
    """
    folder, name = wanted.path.parent, wanted.path.name
    _sweep(folder, name)
    temporary = folder / f"{_temporary(name)}{secrets.token_hex(4)}"
    try:
        _write(temporary, wanted)
        before()
        temporary.replace(wanted.path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def read(path: Path, most: int) -> bytes:
    """Read a small file; OSError where it is none, or not small."""
    with os.fdopen(os.open(path, _READ), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "this is no file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"this is over {most:,} bytes", str(path))
    return content


def sync_folder(folder: Path) -> None:
    """Make sure that the folder's names outlive a loss of power."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _holds(wanted: Wanted) -> bool:
    try:
        with os.fdopen(os.open(wanted.path, _READ | os.O_NOFOLLOW), "rb") as file:
            return file.read(len(wanted.content) + 1) == wanted.content
    except PermissionError:  # somebody else's: it will be replaced
        return False


def _write(temporary: Path, wanted: Wanted) -> None:
    """Write for nobody's eyes yet; rights come last, for a change of owner clears some of them."""
    uid, gid = _ids(wanted, kept=True)
    with os.fdopen(os.open(temporary, _NEW, 0o600), "wb") as file:
        file.write(wanted.content)
        file.flush()
        _give(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), wanted.mode)
        os.fsync(file.fileno())


def _give(number: int, uid: int, gid: int) -> None:
    made = os.fstat(number)
    if uid in {-1, made.st_uid} and gid in {-1, made.st_gid}:
        return
    try:
        os.fchown(number, uid, gid)
    except PermissionError:
        who = f"user {uid}, group {gid}".replace("-1", "as it is")
        raise PermissionError(errno.EPERM, f"syncd may not make a file of {who}") from None


def _ids(wanted: Wanted, *, kept: bool = False) -> tuple[int, int]:
    """Resolve owner and group; -1 is whatever it is, or with ``kept`` what stands there now."""
    uid = _number(wanted.owner, lambda name: pwd.getpwnam(name).pw_uid)
    gid = _number(wanted.group, lambda name: grp.getgrnam(name).gr_gid)
    if kept and -1 in {uid, gid}:
        standing = _stat(wanted.path)
        if standing and stat.S_ISREG(standing.st_mode):
            return (standing.st_uid if uid == -1 else uid, standing.st_gid if gid == -1 else gid)
    return uid, gid


def _number(name: str, look_up: Callable[[str], int]) -> int:
    if not name:
        return -1
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        raise SyncdError(f"there is no user or group {name!r} on this machine") from None


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _temporary(name: str) -> str:
    return f".{name}.syncd-"


def _sweep(folder: Path, name: str) -> None:
    """Remove what a killed process left."""
    for left in folder.iterdir():
        if left.name.startswith(_temporary(name)):
            left.unlink(missing_ok=True)
