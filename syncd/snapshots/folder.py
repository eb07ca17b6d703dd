"""The directory of snapshots: what lies in it, and the right to write into it."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.errors import Busy, Damaged, SnapshotError
from syncd.core.snapshots.drilling import Passed
from syncd.core.snapshots.drilling import decode as decode_passed
from syncd.core.snapshots.drilling import encode as encode_passed
from syncd.core.snapshots.manifest import MANIFEST, PIN, SNAPSHOT, Manifest, decode

_LOCK: Final = ".syncd-lock"
_PASSED: Final = ".syncd-drill"
UNFINISHED: Final = ".syncd-taking-"
"""How files begin that are still being written, or were when somebody died."""
HINT: Final = "check its owner, mode and free space; no snapshot was removed"


class Kept(msgspec.Struct, frozen=True):
    """A snapshot's file. Without ``manifest`` it is foreign: syncd did not take it, or it is no longer what it took.

    ``fault`` says what keeps a manifest beside it from counting. ``taken`` is in seconds since 1970; of a foreign file
    it is when that was last written.
    """

    path: Path
    size: int
    taken: float
    manifest: Manifest | None
    pinned: bool = False
    fault: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


class Folder:
    """One directory of snapshots, on this machine or shared by several."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, name: str) -> Path:
        """Find the file that is meant: a path, else a name in this directory."""
        here, inside = Path(name), self.path / name
        return inside if not here.exists() and inside.exists() else here

    def snapshots(self) -> list[Kept]:
        """List the snapshots, the oldest first, foreign ones by the time of their file.

        Sizes are compared with the manifests, bytes are not read. A directory that is not there is empty.
        """
        with self._errors():
            found = [_look(Path(entry)) for entry in self._scan() if entry.name.endswith(SNAPSHOT)]
        return sorted(found, key=lambda each: (each.taken, each.name))

    def passed(self) -> Passed | None:
        """Read what the last scheduled drill found, if one has passed."""
        with self._errors(), suppress(FileNotFoundError):
            return decode_passed((self.path / _PASSED).read_bytes())
        return None

    def note(self, passed: Passed) -> None:
        """Keep that a drill has passed; call it with the folder locked."""
        part = self.path / f"{UNFINISHED}drill"
        with self._errors(), part.open("wb") as file:
            file.write(encode_passed(passed))
            file.flush()
            os.fsync(file.fileno())
            part.rename(self.path / _PASSED)
            self.sync()

    @contextmanager
    def locked(self, doing: str = "is taking a snapshot into") -> Iterator[None]:
        """Hold the right to write here; raise Busy while another process has it, on whatever machine it is."""
        with self._errors():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._errors():
                _lock(descriptor, str(self.path), doing)
                self._clear()
            yield
        finally:
            os.close(descriptor)

    def pin(self, path: Path) -> None:
        """Keep a snapshot whatever its age."""
        with self._errors():
            self._of(path).touch(0o600)
            self.sync()

    def unpin(self, path: Path) -> None:
        """Let a snapshot go when its time has come."""
        with self._errors():
            self._of(path).unlink(missing_ok=True)

    def remove(self, kept: Kept) -> None:
        """Delete a snapshot, then its manifest: what is left when that is interrupted claims nothing."""
        with self._errors():
            kept.path.unlink()
            beside(kept.path, MANIFEST).unlink(missing_ok=True)

    def sync(self) -> None:
        """Bring the directory itself to the disk: names that came and went."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _of(self, path: Path) -> Path:
        """Name a snapshot's pin."""
        if path.parent.resolve() != self.path.resolve() or not path.name.endswith(SNAPSHOT) or not path.exists():
            raise SnapshotError(
                f"there is no snapshot {path.name!r}", where=str(self.path), hint="syncd snapshot list shows those here"
            )
        return beside(path, PIN)

    def _scan(self) -> Iterator[os.DirEntry[str]]:
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))

    def _clear(self) -> None:
        """Delete what others left unfinished when they died, and manifests whose snapshot never came or is gone."""
        for entry in list(self._scan()):
            path = Path(entry)
            orphan = path.name.endswith(SNAPSHOT + MANIFEST) and not path.with_suffix("").exists()
            if path.name.startswith(UNFINISHED) or (orphan and _read(path)[0] is not None):
                path.unlink()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SnapshotError(
                f"the directory of snapshots cannot be used: {error.strerror}", where=str(self.path), hint=HINT
            ) from None


def beside(path: Path, ending: str) -> Path:
    """Name what stands beside a snapshot."""
    return path.with_name(path.name + ending)


def _lock(descriptor: int, where: str, doing: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process is at work in"
        raise Busy(f"{holder} this directory", where=where, hint="one is enough: wait for it") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} {doing}".encode(), 0)


def look(path: Path) -> Kept:
    """See what a file is said to be, without reading it; raise Damaged where it is plainly not that any more."""
    try:
        kept = _look(path)
    except OSError as error:
        raise unreadable(path, error) from None
    if kept.fault:
        raise changed(path, kept.fault)
    return kept


def none_there(folder: Folder) -> SnapshotError:
    """Say that there are no snapshots."""
    return SnapshotError("there are no snapshots", where=str(folder.path), hint="take one: syncd snapshot take")


def unreadable(path: Path, error: OSError) -> SnapshotError:
    """Say that a file cannot be read."""
    hint = "FILE is a path, or a name that syncd snapshot list shows" if isinstance(error, FileNotFoundError) else ""
    return SnapshotError(f"the snapshot cannot be read: {error.strerror}", where=str(path), hint=hint)


def changed(path: Path, fault: str = "its bytes are not those that were taken") -> Damaged:
    """Say that a file is no longer what was taken."""
    hint = "somebody has changed or replaced it; syncd snapshot verify finds the sound ones"
    return Damaged(fault, where=str(path), hint=hint)


def _look(path: Path) -> Kept:
    size, modified = path.stat().st_size, path.stat().st_mtime
    pinned = beside(path, PIN).exists()
    manifest, fault = _read(beside(path, MANIFEST))
    if manifest is not None:
        fault = _difference(manifest, path.name, size)
    if manifest is None or fault:
        return Kept(path, size, modified, None, pinned, fault)
    return Kept(path, size, manifest.taken, manifest, pinned)


def _difference(manifest: Manifest, name: str, size: int) -> str:
    if manifest.file != name:
        return f"its manifest is that of {manifest.file}"
    return "" if manifest.size == size else f"it has {size:,} bytes; {manifest.size:,} were verified"


def _read(path: Path) -> tuple[Manifest | None, str]:
    """Read a manifest, or say why it cannot be; a file without one is simply foreign."""
    try:
        return decode(path.read_bytes()), ""
    except FileNotFoundError:
        return None, ""
    except SnapshotError as error:
        return None, error.message
