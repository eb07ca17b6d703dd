"""The files on disk: listed by git, looked at without following anything, named as git would name their content."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from syncd.core.errors import GitBusy, GitError
from syncd.core.tree import MAX_FILE_BYTES, TreeEntry
from syncd.git.assembly import Content
from syncd.git.process import Git
from syncd.git.raw import object_name
from syncd.git.repository import NO_FOLDER, Repository

_SETTLED: Final = 1_000_000_000
"""Nanoseconds after which a file's times tell it from an edit in the same tick of the file system's clock."""

_NO_FILE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)

_Stamp = tuple[int, int, int, int]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """A file as last looked at; ``text_oid`` names its content with LF line ends, as git may keep it."""

    entry: TreeEntry
    text_oid: str
    stamp: _Stamp | None


class Worktree:
    """Reads the work tree below a path of an ordinary repository; hashes only files that changed since last time."""

    def __init__(self, repository: Repository, git: Git, path: bytes) -> None:
        self._repository = repository
        self._git = git
        self._path = path
        self._root = os.fsencode(repository.root) + b"/" + path
        self._seen: Mapping[bytes, Seen] = {}

    async def scan(self) -> Mapping[bytes, Seen]:
        """Return every file that git tracks or would add, by its path below the root."""
        below = os.fsdecode(self._path) or "."
        listed = await self._git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", below)
        cut = len(self._path) + 1 if self._path else 0
        names = [name[cut:].rstrip(b"/") for name in dict.fromkeys(listed.output.split(b"\0")[:-1])]
        self._seen = await asyncio.to_thread(self._look_at, names)
        return self._seen

    async def read(self, entries: Sequence[TreeEntry]) -> AsyncGenerator[Content, None]:
        """Yield the content of files; raise GitBusy where one is no longer what it was."""
        for entry in entries:
            if entry.size > MAX_FILE_BYTES:
                yield Content(entry.size, None)
                continue
            data = self._read_file(entry.path)
            if data is None or self._name(data) != entry.oid:
                path = entry.path.decode(errors="backslashreplace")
                raise GitBusy("a file changes while it is read", where=path, hint="it will be read again")
            yield Content(len(data), data)

    def _look_at(self, names: Sequence[bytes]) -> dict[bytes, Seen]:
        if not os.path.isdir(self._root):  # noqa: PTH112  # a name in bytes
            where = os.fsdecode(self._root)
            raise GitError("the work tree has no such folder", where=where, hint=NO_FOLDER)
        settled = time.time_ns() - _SETTLED
        plain: dict[bytes, bool] = {b"": True}
        found: dict[bytes, Seen] = {}
        for name in names:
            status = self._status(name) if self._is_plain(_parent(name), plain) else None
            seen = self._look_at_one(name, status, settled) if status else None
            if seen is not None:
                found[name] = seen
        return found

    def _is_plain(self, folder: bytes, known: dict[bytes, bool]) -> bool:
        """Tell whether a folder is one, and not reached by a link: what lies behind a link is not in the tree."""
        if folder not in known:
            status = self._status(folder) if self._is_plain(_parent(folder), known) else None
            known[folder] = status is not None and stat.S_ISDIR(status.st_mode)
        return known[folder]

    def _look_at_one(self, name: bytes, status: os.stat_result, settled: int) -> Seen | None:
        kind = _kind_of(status.st_mode)
        if kind != "file" or status.st_size > MAX_FILE_BYTES:
            return Seen(TreeEntry(name, kind, "", status.st_size), "", None)
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        seen = self._seen.get(name)
        if seen is not None and seen.stamp == stamp:
            return seen
        return self._hash(name, stamp if max(stamp[:2]) < settled else None)

    def _hash(self, name: bytes, stamp: _Stamp | None) -> Seen | None:
        data = self._read_file(name)
        if data is None:
            return None
        oid = self._name(data)
        text_oid = self._name(data.replace(b"\r\n", b"\n")) if b"\r\n" in data else oid
        return Seen(TreeEntry(name, "file", oid, len(data)), text_oid, stamp)

    def _name(self, data: bytes) -> str:
        return object_name(self._repository.algorithm, "blob", data)

    def _status(self, name: bytes) -> os.stat_result | None:
        try:
            return os.lstat(self._root + b"/" + name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(name, error) from error

    def _read_file(self, name: bytes) -> bytes | None:
        """Read a regular file; None where it vanished, or a link or pipe took its place (never waited for)."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._root + b"/" + name, flags)
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise _unreadable(name, error) from error
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return file.read(MAX_FILE_BYTES + 1) if regular else None


def _parent(name: bytes) -> bytes:
    return name.rpartition(b"/")[0]


def _unreadable(name: bytes, error: OSError) -> GitError:
    # Never taken for absent: what cannot be read must not be deleted.
    path = name.decode(errors="backslashreplace")
    return GitError(f"cannot be read: {error.strerror}", where=path, hint="let the user that syncd runs as read it")


def _kind_of(mode: int) -> Literal["file", "symlink", "submodule", "special"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "symlink"
    return "submodule" if stat.S_ISDIR(mode) else "special"
