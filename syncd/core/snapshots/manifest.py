"""What syncd writes beside each snapshot that it took, and how the files are named."""

from datetime import date
from typing import Final

import msgspec

from syncd.core.documents import UNREADABLE, format_of
from syncd.core.errors import SnapshotError
from syncd.core.snapshots.census import Contents

FORMAT: Final = 1
SNAPSHOT: Final = ".snap"
MANIFEST: Final = ".json"
"""Follows the snapshot's whole name, as the next does."""
PIN: Final = ".pin"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified when the file ``file`` was taken.

    ``taken`` is in seconds since 1970, ``date`` is the local date that the snapshot stands for.
    ``sha256`` and ``size`` are the file's; a file that differs is not the one that was verified.
    """

    format: int = FORMAT
    file: str
    taken: int
    date: date
    size: int
    sha256: str
    prefix: str
    contents: Contents


def encode(manifest: Manifest) -> bytes:
    """Write a manifest as JSON that people read, too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(text: bytes) -> Manifest:
    """Read a manifest; SnapshotError where it is damaged or of an unknown format."""
    try:
        found = format_of(text)
        if found != FORMAT:
            raise SnapshotError(
                f"the manifest has format {found}, this syncd knows {FORMAT}",
                hint="upgrade syncd on this machine; nothing was changed",
            )
        return msgspec.json.decode(text, type=Manifest)
    except UNREADABLE as error:
        raise SnapshotError(f"the manifest is damaged: {error}") from None


def file_name(day: date, contents: Contents, number: int = 1) -> str:
    """Name a snapshot: ``consul-20261126-1570-4f2a9c1.snap``; ``number`` tells files apart that would be one."""
    parts = ["consul", f"{day:%Y%m%d}", str(contents.index)]
    parts += [contents.commit[:7]] if contents.commit else []
    parts += [str(number)] if number > 1 else []
    return "-".join(parts) + SNAPSHOT
