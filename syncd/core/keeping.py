"""Keeping drift: what differs from the applied commit, where the files say it, and the patch that brings it there."""

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from syncd.core.desired import Base, BaseKey, DesiredKey
from syncd.core.drift import drifted
from syncd.core.keys import join
from syncd.core.live import Entry
from syncd.core.mapping.patching import patch
from syncd.core.tree import Tree
from syncd.core.unified import file_patch

_WOULD_SHOW: Final = "a secret stands beside it, and the lines around a change would show it"

Keys = Mapping[str, DesiredKey]


class Drifted(msgspec.Struct, frozen=True):
    """A key that is not as the applied commit says.

    ``said`` is the applied value, None where only its ``hash`` is known; ``live`` is None where the key is missing.
    ``place`` is where the newest commit says the key, else the applied one, None where neither is known. ``tip`` tells
    what the newest commit says: the same as the applied one, what stands in the store, or another thing; it is unknown
    where that commit is invalid.
    """

    key: str
    said: bytes | None
    hash: bytes
    live: bytes | None
    place: DesiredKey | None
    secret: bool
    tip: Literal["same", "live", "other", "unknown"]


class Unpatched(NamedTuple):
    """A key that a patch leaves out, and why."""

    drifted: Drifted
    why: str


class Patch(NamedTuple):
    """What ``git apply`` takes, and what is not in it."""

    text: bytes
    left: tuple[Unpatched, ...]


def find_drift(
    base: Base, live: Mapping[str, Entry], tip: Keys | None, applying: Keys | None = None
) -> tuple[Drifted, ...]:
    """Describe every key that drifted; ``tip`` is None where the newest commit is invalid.

    What a commit has written that is being applied (``applying``) is no drift.
    """
    found = ((key, base.get(key), live.get(key)) for key in drifted(base, live))
    return tuple(
        _describe(key, based, entry.value if entry else None, tip)
        for key, based, entry in found
        if based is not None and not (applying is not None and _is_written(applying.get(key), entry))
    )


def _is_written(wanted: DesiredKey | None, entry: Entry | None) -> bool:
    return _value(wanted) == (entry.value if entry else None)


def _describe(key: str, based: BaseKey, live: bytes | None, tip: Keys | None) -> Drifted:
    new = tip.get(key) if tip is not None else None
    same = new is not None and new.hash == based.hash
    known = based if isinstance(based, DesiredKey) else new if same else None
    says: Literal["same", "live", "other"] = "same" if same else "live" if _value(new) == live else "other"
    return Drifted(
        key,
        _value(known),
        based.hash,
        live,
        new or known,
        based.secret or (new is not None and new.secret),
        "unknown" if tip is None else says,
    )


def _value(said: DesiredKey | None) -> bytes | None:
    return said.value if said else None


def patchable(found: Iterable[Drifted]) -> Mapping[str, list[Drifted]]:
    """Name the files whose content a patch is made from, each with its keys."""
    files: dict[str, list[Drifted]] = {}
    for each in found:
        if not _hindrance(each) and each.place is not None:
            files.setdefault(each.place.path, []).append(each)
    return files


def make_patch(found: Iterable[Drifted], contents: Mapping[str, bytes], tree: Tree, root: str) -> Patch:
    """Bring live values into the newest commit's files; ``root`` is the tree's path in the repository."""
    found = tuple(found)
    left = [Unpatched(each, why) for each in found if (why := _hindrance(each))]
    parts: list[bytes] = []
    for path, keys in sorted(patchable(found).items()):
        made = _File(path, contents[path], tree, join(root, path)).patch(keys)
        left += made.left
        parts.append(made.text)
    return Patch(b"".join(parts), tuple(left))


class _File:
    """One file of the newest commit; ``full`` is its path in the repository."""

    def __init__(self, path: str, content: bytes, tree: Tree, full: str) -> None:
        self._path = path
        self._content = content
        self._policy = tree.rules.policy(path)
        self._full = full.encode(errors="surrogateescape")
        self._hidden = _secret_lines(tree.files[path].keys, content)

    def patch(self, keys: Sequence[Drifted]) -> Patch:
        """Write what can be written without showing a secret on the lines around."""
        whole = self._patch(keys)
        return whole if whole is not None else self._apart(keys)

    def _apart(self, keys: Sequence[Drifted]) -> Patch:
        """Take one key after the other, but for those beside a secret."""
        made = Patch(b"", ())
        taken: list[Drifted] = []
        beside: list[Unpatched] = []
        for each in keys:
            trial = self._patch([*taken, each])
            if trial is None:
                beside.append(Unpatched(each, _WOULD_SHOW))
            else:
                made = trial
                taken.append(each)
        return Patch(made.text, (*made.left, *beside))

    def _patch(self, keys: Sequence[Drifted]) -> Patch | None:
        content, refused = patch(self._path, self._content, self._policy, {each.key: each.live for each in keys})
        text = file_patch(self._full, self._content, content, self._hidden)
        left = tuple(Unpatched(each, refused[each.key]) for each in keys if each.key in refused)
        return None if text is None else Patch(text, left)


def _secret_lines(keys: Keys, content: bytes) -> Container[int]:
    """Name the lines, from 0, on which secrets may stand: each from its key to the next one."""
    places = sorted({said.line for said in keys.values()})
    following = dict(pairwise([*places, content.count(b"\n") + 2]))
    spans = [range(said.line - 1, following[said.line] - 1) for said in keys.values() if said.secret]
    if spans and b"\r" in content.replace(b"\r\n", b""):
        return range(len(content))  # YAML counts other lines than git
    return frozenset(line for span in spans for line in span)


def _hindrance(each: Drifted) -> str:
    """Say why a key is not patched, "" where it can be."""
    if each.tip == "live":
        return "the newest commit says already what stands in the store"
    if each.tip != "same":
        return "the newest commit itself changes it"
    return "its value is secret, and a patch would show it" if each.secret else ""
