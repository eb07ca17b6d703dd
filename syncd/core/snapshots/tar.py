"""A tar archive read as its bytes arrive, as strictly as Consul reads it.

The tar reader of the standard library wants a file, forgives what follows the end, and tells nothing of it; Consul
refuses to restore an archive with bytes behind its two zero blocks.
"""

from collections.abc import Iterator
from typing import Final

from syncd.core.errors import Damaged

_BLOCK: Final = 512
_ZEROS: Final = bytes(_BLOCK)
_CHECKSUM: Final = slice(148, 156)
_FILE: Final = b"0\0"
"""The types of a plain file; Consul writes no other (POSIX.1-1988, ``ustar``)."""


class Tar:
    """Feed it an archive's bytes; it tells the files' bytes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._name = ""
        self._left = 0  # bytes of the file that are still to come
        self._padding = 0
        self._zeros = 0
        self.names: list[str] = []

    @property
    def ended(self) -> bool:
        """Tell whether the archive came to its end."""
        return self._zeros == 2

    def feed(self, plain: bytes) -> Iterator[tuple[str, memoryview]]:
        """Take the next bytes; yield a file's name with a piece of it."""
        rest = memoryview(plain)
        while rest:
            if self.ended:
                raise Damaged("bytes follow the end of the tar archive")
            if self._left:
                piece, rest = rest[: self._left], rest[self._left :]
                self._left -= len(piece)
                yield self._name, piece
            elif self._padding:
                skipped = min(self._padding, len(rest))
                rest = rest[skipped:]
                self._padding -= skipped
            else:
                rest = self._gather(rest)

    def _gather(self, rest: memoryview) -> memoryview:
        """Put a block together from what came in pieces."""
        missing = _BLOCK - len(self._head)
        self._head += rest[:missing]
        if len(self._head) == _BLOCK:
            block = bytes(self._head)
            self._head.clear()
            self._read(block)
        return rest[missing:]

    def _read(self, block: bytes) -> None:
        if block == _ZEROS:
            self._zeros += 1
            return
        if self._zeros:
            raise Damaged("a single zero block stands inside the tar archive")
        blank = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
        if _octal(block[_CHECKSUM]) != sum(blank) or block[156] not in _FILE:
            raise Damaged("a header of the tar archive is damaged, or of a kind that Consul does not write")
        self._name = block[:100].rstrip(b"\0").decode(errors="replace")
        self._left = _octal(block[124:136])
        self._padding = -self._left % _BLOCK
        self.names.append(self._name)


def _octal(field: bytes) -> int:
    try:
        return int(field.strip(b" \0"), 8)
    except ValueError:
        raise Damaged("a header of the tar archive holds no number where one belongs") from None
