"""Writing files for people."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from syncd.core.errors import SyncdError
from syncd.core.text import count


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all; what stood there, a link too, is replaced, never followed."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _failed(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink()
        raise _failed(path, error) from None


def _failed(path: Path, error: OSError) -> SyncdError:
    return SyncdError(f"the file cannot be written: {error.strerror}", where=str(path), hint="name another file")


def add_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write new files below a folder: all of them, or none at all; what is there already is an error."""
    existing = sorted(name for name in files if os.path.lexists(folder / name))
    if existing:
        are = "is" if len(existing) == 1 else "are"
        listed = "".join(f"\n  {name}" for name in existing)
        raise SyncdError(
            f"{count(len(existing), 'file')} {are} there already:{listed}",
            where=str(folder),
            hint="nothing was written; move them away, or choose a folder with --into",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".syncd-import-", dir=folder) as stage:
            for name, content in files.items():
                _write(Path(stage, name), content)
            _move(Path(stage), folder, list(files))
    except OSError as error:
        raise _failed(folder, error) from None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _move(stage: Path, folder: Path, names: list[str]) -> None:
    """Link each file into its place, which never overwrites; take back what was done where one cannot be."""
    done: list[Path] = []
    try:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(stage / name)
            done.append(target)
    except OSError:
        for target in done:
            target.unlink()
        raise
