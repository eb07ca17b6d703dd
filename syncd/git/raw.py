"""Git's object formats, read from bytes (gitformat: commit, tree and the naming of objects)."""

import hashlib
import re
from collections.abc import Mapping
from itertools import chain
from typing import Final, Literal

import msgspec

_PERSON: Final = re.compile(rb"(.*?) ?<([^>]*)> (-?\d+)")
_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Malformed(ValueError):
    """The bytes are no object of that kind."""


class RawCommit(msgspec.Struct, frozen=True):
    """A commit as git keeps it; ``time`` is the committer's."""

    tree: str
    parents: tuple[str, ...]
    author: str
    time: int
    message: str


RawEntry = tuple[bytes, bytes]
"""One entry of one tree object: its mode and its object's name in bytes."""
Entries = Mapping[bytes, RawEntry]
"""A tree object by the names in it."""


def is_oid(text: str) -> bool:
    """Tell whether a text is a full object name."""
    return _OID.fullmatch(text) is not None


def object_name(algorithm: Literal["sha1", "sha256"], kind: str, content: bytes) -> str:
    """Name an object as git does."""
    digest = hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def parse_commit(data: bytes) -> RawCommit:
    """Read a commit; tolerate whatever old tools wrote in names, times and encodings."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        headers.setdefault(name, []).append(value)
    if b"tree" not in headers:
        raise Malformed("a commit without a tree")
    encoding = headers.get(b"encoding", [b"utf-8"])[0].decode(errors="replace")
    return RawCommit(
        headers[b"tree"][0].decode(),
        tuple(parent.decode() for parent in headers.get(b"parent", [])),
        _text(_person(headers.get(b"author", [b""])[0]), encoding),
        _time(headers.get(b"committer", [b""])[0]),
        _text(message, encoding).strip(),
    )


def _person(line: bytes) -> bytes:
    found = _PERSON.match(line)
    return b"%s <%s>" % found.groups()[:2] if found else line


def _time(line: bytes) -> int:
    found = _PERSON.match(line)
    return int(found[3]) if found else 0


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, errors="replace")
    except LookupError:  # an encoding that Python does not know
        return data.decode(errors="replace")


def parse_tree(data: bytes, oid_bytes: int) -> Entries:
    """Read a tree object; refuse what git itself would never write, because one of two equal names would be lost."""
    found = re.findall(rb"([0-7]+) ([^\0/]+)\0(.{%d})" % oid_bytes, data, re.DOTALL)
    entries = {name: (mode, oid) for mode, name, oid in found}
    length = sum(map(len, chain.from_iterable(found))) + 2 * len(found)
    if length != len(data) or len(entries) != len(found):
        raise Malformed("a tree with a damaged or repeated name")
    return entries
