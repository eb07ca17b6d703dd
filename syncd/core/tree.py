"""A whole tree: which files count, what each yields, and the desired state they make together."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from syncd.core.desired import Desired, DesiredKey, Policy
from syncd.core.problems import Problem
from syncd.core.rules import Rules

MAX_FILE_BYTES: Final = 32 * 1024 * 1024


class TreeEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a tree, as git or the work tree lists it.

    ``path`` is relative to the tree's root, as the raw bytes that git keeps; ``oid`` names the content; ``size`` is in
    bytes, -1 where unknown.
    """

    path: bytes
    kind: Literal["file", "symlink", "submodule", "special"]
    oid: str
    size: int = -1


class Sorted(msgspec.Struct, frozen=True):
    """A tree's entries, sorted out: the files that count by path, the paths that the tree ignores, what is refused."""

    files: Mapping[str, TreeEntry]
    ignored: frozenset[str]
    problems: tuple[Problem, ...]


class ParsedFile(msgspec.Struct, frozen=True):
    """What one file yields: keys relative to the prefix, errors and warnings."""

    keys: Mapping[str, DesiredKey]
    problems: tuple[Problem, ...]


class Tree(msgspec.Struct, frozen=True):
    """A valid tree."""

    rules: Rules
    files: Mapping[str, ParsedFile]
    ignored: frozenset[str]
    desired: Desired
    warnings: tuple[Problem, ...]


class Update(msgspec.Struct, frozen=True):
    """A tree made from an earlier one; ``changed`` holds every key that differs between the two."""

    tree: Tree
    changed: frozenset[str]


def sort_out(entries: Iterable[TreeEntry], rules: Rules) -> Sorted:
    """Leave out dotfiles, ``*.md`` and what is ignored; refuse links, submodules, devices and bad names."""
    raise NotImplementedError


def parse_file(path: str, data: bytes, policy: Policy, prefix: str) -> ParsedFile:
    """Turn one file's bytes into keys; never raises on bad input, never crashes on hostile input."""
    raise NotImplementedError


def too_large(path: str, size: int) -> ParsedFile:
    """Refuse a file over ``MAX_FILE_BYTES`` that was not read at all."""
    raise NotImplementedError


def build(rules: Rules, found: Sorted, parsed: Mapping[str, ParsedFile]) -> Tree:
    """Put a whole tree together; raise TreeError with every error of every file, sorted by place."""
    raise NotImplementedError


def update(tree: Tree, gone: frozenset[str], found: Sorted, parsed: Mapping[str, ParsedFile]) -> Update:
    """Put a tree together from an earlier one in O(changed files): rules and ignore file must be unchanged.

    ``gone`` are paths that no longer exist; ``found`` and ``parsed`` cover only entries that were added or changed.
    """
    raise NotImplementedError
