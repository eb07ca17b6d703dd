"""Writing files for people."""

import os
import tempfile
from pathlib import Path

from syncd.core.errors import SyncdError


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
