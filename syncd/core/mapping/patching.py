"""Keys back to their files: other values in the place of those that stand there, and nothing else touched.

What is written is read back: a patched file yields exactly the values that were wanted and, for all other keys, those
from before. What cannot be written so is refused, key by key.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace

from syncd.core.desired import Policy
from syncd.core.mapping.file import EXTENSIONS, nodes_of, read
from syncd.core.mapping.forms import forms
from syncd.core.mapping.nodes import Map, Scalar
from syncd.core.mapping.sites import Site, Sites, Text, Unclear
from syncd.core.mapping.wholes import Splice, Way, has_comment, replacement, slot_of, whole_ways
from syncd.core.text import some

_NO_WAY: Final = "nothing that could be written there gives exactly this and leaves all other keys as they are"
_NULL: Final = "null"
_ONE_ENTRY: Final = 2
"""Nodes of a mapping with one entry."""

Wanted = Mapping[str, bytes | None]
"""Keys relative to the tree with their new values; None where the key is to be gone."""


class Patched(NamedTuple):
    """A file with other values; ``content`` is None where it is to be gone, ``refused`` says why, by key."""

    content: bytes | None
    refused: Mapping[str, str]


def patch(path: str, content: bytes, policy: Policy, wanted: Wanted) -> Patched:
    """Write other values into a valid file that gives these keys."""
    if not (policy.expand and path.endswith(EXTENSIONS)):
        return _patch_whole(path, content, wanted)
    mark = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    file = _File(path, content.removeprefix(mark), policy)
    patched, refused = file.patch(wanted)
    return Patched(mark + patched, refused)


def _patch_whole(path: str, content: bytes, wanted: Wanted) -> Patched:
    value = wanted[path]
    if not all(map(_is_text, (content, value or b""))):
        return Patched(content, {path: "bytes that are not text do not fit a patch"})
    return Patched(value, {})


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of one node, and of every key that it gives."""

    values: Wanted
    ways: Sequence[Way]


@dataclass(slots=True)
class _Draft:
    """What was taken so far."""

    splices: set[Splice] = field(default_factory=set)
    values: dict[str, bytes | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class _File:
    """A file that is expanded."""

    def __init__(self, path: str, content: bytes, policy: Policy) -> None:
        self._path = path
        self._policy = replace(policy, secret=False)
        self._text = Text(path, content.decode())
        root = nodes_of(path, content)
        assert isinstance(root, Map)  # the file is valid and gives keys
        sites = Sites(path, self._policy, self._text)
        sites.root(root, path.rpartition(".")[0])
        self._sites = sites.found
        self._values = {key: said.value for key, said in sites.keys.items()}
        self._draft = _Draft()

    def patch(self, wanted: Wanted) -> tuple[bytes, Mapping[str, str]]:
        self._take(list(self._changes(wanted)))
        return self._spliced(self._draft.splices).encode(), self._draft.refused

    def _changes(self, wanted: Wanted) -> Iterator[_Change]:
        """Put keys together that one node gives; refuse those of which it would give another value to others."""
        given: dict[int, list[str]] = {}
        for key, site in self._sites.items():
            given.setdefault(id(site.node), []).append(key)
        for keys in given.values():
            asked = {key: wanted[key] for key in keys if key in wanted}
            if len(asked) == len(keys) and len(set(asked.values())) == 1:
                yield _Change(asked, list(self._ways(self._sites[keys[0]], asked[keys[0]])))
                continue
            for key in asked:
                others = some([other for other in keys if other != key], 3)
                self._draft.refused[key] = f"what is written there gives {others} too"

    def _ways(self, site: Site, value: bytes | None) -> Iterator[Way]:
        try:
            if value is None:
                yield from self._deletes(site)
            elif isinstance(site.node, Scalar):
                yield from self._scalar(site, value)
            else:
                yield from whole_ways(self._text, site, value)
        except Unclear:
            return

    def _scalar(self, site: Site, value: bytes) -> Iterator[Way]:
        for written in forms(slot_of(self._text, site.node, site), value):
            yield (Splice(*self._text.span(site.node), written),)

    def _deletes(self, site: Site) -> Iterator[Way]:
        """Take out the whole entry where nothing else stands on its lines; null says the same anywhere."""
        text, node = self._text, site.node
        start, end = text.span(node)
        source = text.text[start:end]
        written = source.rstrip()  # the empty lines after a block scalar stay
        if self._is_alone(site, start + len(written)):
            yield (Splice(*text.lines(text.index(site.mark), start + len(written)), ""),)
        if isinstance(node, Scalar) or text.json or not has_comment(source):
            slot = slot_of(text, node, site)
            yield (replacement(text, node, slot.untagged + _NULL + slot.tail),)

    def _is_alone(self, site: Site, end: int) -> bool:
        """Tell whether an entry has lines of its own, other entries beside it, and no comment that speaks of it."""
        text, whole = self._text, self._text.text
        if text.json or site.owner is None or site.flow or len(site.owner.items) == _ONE_ENTRY:
            return False
        mark = text.index(site.mark)
        first, past = text.lines(mark, end)
        above = whole[slice(*text.lines(max(first - 1, 0), first))]
        around = whole[first:mark] + whole[end:past]
        return not around.strip() and not has_comment(whole[mark:end]) and not above.lstrip().startswith("#")

    def _take(self, changes: Sequence[_Change]) -> None:
        """Take the changes that hold together; halve them where they do not, to find those that are at fault."""
        if not changes:
            return
        if all(change.ways for change in changes) and self._holds([(each, each.ways[0]) for each in changes]):
            return
        if len(changes) > 1:
            middle = len(changes) // 2
            self._take(changes[:middle])
            self._take(changes[middle:])
            return
        (change,) = changes
        if not any(self._holds([(change, way)]) for way in change.ways[1:]):
            self._draft.refused |= dict.fromkeys(change.values, _NO_WAY)

    def _holds(self, chosen: Sequence[tuple[_Change, Way]]) -> bool:
        """Take changes, on top of what was taken, if the file then gives exactly what it should."""
        splices = self._draft.splices.union(*(way for _, way in chosen))
        values = self._draft.values | {key: value for change, _ in chosen for key, value in change.values.items()}
        expected = {key: value for key, value in (self._values | values).items() if value is not None}
        if not _is_disjoint(splices) or self._read(self._spliced(splices)) != expected:
            return False
        self._draft.splices, self._draft.values = splices, values
        return True

    def _read(self, text: str) -> Mapping[str, bytes] | None:
        keys, problems, _ = read(self._path, text.encode(), self._policy, "")
        valid = all(problem.severity == "warning" for problem in problems)
        return {key: said.value for key, said in keys.items()} if valid else None

    def _spliced(self, splices: set[Splice]) -> str:
        parts, position = [], 0
        for splice in sorted(splices):
            parts += [self._text.text[position : splice.start], splice.text]
            position = splice.end
        return "".join([*parts, self._text.text[position:]])


def _is_disjoint(splices: set[Splice]) -> bool:
    return all(one.end <= other.start for one, other in pairwise(sorted(splices)))
