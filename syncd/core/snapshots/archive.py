"""A snapshot's archive, proved as its bytes arrive: gzip, tar, SHA256SUMS.

The format is that of Consul's ``snapshot/archive.go``: one gzip stream around a tar of ``meta.json`` (Raft's own),
``state.bin`` and ``SHA256SUMS`` over both. Consul reads on over several gzip streams; it writes one, and what follows
it is refused here.
"""

import re
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from syncd.core.documents import UNREADABLE
from syncd.core.errors import Damaged
from syncd.core.snapshots.tar import Tar

EMBEDDED: Final = 100
"""The version in the meta.json of syncd's embedded store. Raft knows 0 and 1, and refuses others before it touches
anything; a state that it cannot read would end the server."""
STATE: Final = "state.bin"
META: Final = "meta.json"
SUMS: Final = "SHA256SUMS"
_SMALL: Final = 1 << 20
"""What the two small files may take; Raft's meta.json is a few hundred bytes and grows with the servers."""
PIECE: Final = 1 << 20
"""Bytes inflated at once: a thousandth of them may have come in."""
_GZIP: Final = 31  # zlib's number for a gzip header and trailer, both checked
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+)")


class Meta(msgspec.Struct, frozen=True, rename="pascal"):
    """Raft's own description of the state; ``index`` is the Raft index, ``size`` the bytes of ``state.bin``."""

    index: int
    term: int
    size: int
    version: int = 1
    id: str = msgspec.field(name="ID", default="")

    @property
    def embedded(self) -> bool:
        """Tell whether syncd's embedded store wrote it."""
        return self.version == EMBEDDED


class Archive:
    """Feed it a snapshot's bytes; it gives the state's, and at the end proves that they are what was written.

    Until ``finish`` has returned, nothing that it gave is proved.
    """

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(_GZIP)
        self._tar = Tar()
        self._small = {META: bytearray(), SUMS: bytearray()}
        self._state = sha256()
        self._size = 0

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """Take the next bytes; yield pieces of ``state.bin``. Raises Damaged."""
        for plain in self._inflate(data):
            for name, piece in self._tar.feed(plain):
                if name == STATE:
                    self._state.update(piece)
                    self._size += len(piece)
                    yield piece
                elif name in self._small:
                    self._small[name] += piece
                    if len(self._small[name]) > _SMALL:
                        raise Damaged(f"{name} is too large to be Consul's")

    @property
    def meta_json(self) -> bytes:
        """The bytes of meta.json."""
        return bytes(self._small[META])

    def meta(self) -> Meta:
        """Read meta.json as far as it has come; it stands in front of the state."""
        try:
            return msgspec.json.decode(self._small[META], type=Meta)
        except UNREADABLE as error:
            raise Damaged(f"its meta.json cannot be read: {error}") from None

    def finish(self) -> Meta:
        """Check that everything came and is what its sums say."""
        if not self._gzip.eof:
            raise Damaged("it is cut off: its gzip stream has no end")
        if not self._tar.ended:
            raise Damaged("it is cut off: its tar archive has no end")
        if sorted(self._tar.names) != sorted((META, STATE, SUMS)):
            raise Damaged(f"it holds {', '.join(map(repr, self._tar.names)) or 'no files'}, not what a snapshot holds")
        sums = {META: sha256(self._small[META]).hexdigest(), STATE: self._state.hexdigest()}
        if _read_sums(bytes(self._small[SUMS])) != sums:
            raise Damaged("its content is not what SHA256SUMS says")
        meta = self.meta()
        if meta.size != self._size:
            raise Damaged(f"its state has {self._size:,} bytes, and meta.json says {meta.size:,}")
        return meta

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._gzip.eof:
                if data:
                    raise Damaged("bytes follow the end of the gzip stream")
                return
            try:
                plain = self._gzip.decompress(data, PIECE)
            except zlib.error as error:
                raise Damaged(f"it is not what gzip wrote: {error}") from None
            data = self._gzip.unused_data or self._gzip.unconsumed_tail
            yield plain
            if not data and len(plain) < PIECE:
                return


def _read_sums(text: bytes) -> dict[str, str]:
    lines = text.decode(errors="replace").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(found) or len(lines) != 2:
        raise Damaged("its SHA256SUMS cannot be read")
    return {match[2]: match[1] for match in found if match}
