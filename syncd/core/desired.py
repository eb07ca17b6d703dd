"""What a commit says: the values that the mapping makes and the planner reads."""

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Literal, Protocol

import msgspec

from syncd.core.digest import shown_hash, value_hash


class Policy(msgspec.Struct, frozen=True):
    """How the tree's rules (``.syncd.yaml``) treat one file and its keys."""

    expand: bool = True
    lists: Literal["json", "index"] = "json"
    prune: bool = True
    drift: Literal["enforce", "report"] = "enforce"
    secret: bool | tuple[str, ...] = False


class DesiredKey(msgspec.Struct, frozen=True, gc=False):
    """One key's value and the place that says so; ``line`` and ``column`` count from 1.

    ``path`` is relative to the tree's root. Not tracked by the garbage collector: there may be 100,000 of them.
    """

    value: bytes
    path: str
    line: int
    column: int
    secret: bool
    policy: Policy

    def __repr__(self) -> str:
        """Never show the value, secret or not: a stray log line or traceback would."""
        return f"DesiredKey({shown_hash(self.value)} at {self.path}:{self.line}:{self.column})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Keep rich, which looks here first, to the same."""
        return [("value", shown_hash(self.value)), ("path", self.path), ("line", self.line), ("column", self.column)]

    @property
    def hash(self) -> bytes:
        """SHA-256 of the value: makes a tree's keys a Base."""
        return value_hash(self.value)


class Keeper(Protocol):
    """Tells why a key that git no longer names is left in the store all the same."""

    def __call__(self, key: str, path: str | None) -> Literal["", "prune", "ignored"]:
        """Answer for a key relative to the tree; ``path`` is the file that once said it, None if unknown."""
        ...


class Desired(msgspec.Struct, frozen=True):
    """Every key of a tree, relative to the prefix, in no order; never changed after it is made.

    ``digest`` as in ``core.digest``, over keys relative to the prefix.
    """

    keys: Mapping[str, DesiredKey]
    digest: int
    keeps: Keeper


class BaseKey(Protocol):
    """What is known of a key of the applied commit."""

    @property
    def hash(self) -> bytes:
        """SHA-256 of the value, 32 bytes."""
        ...

    @property
    def path(self) -> str | None:
        """The file that said it, relative to the tree's root, if known."""
        ...

    @property
    def secret(self) -> bool:
        """Tell whether its value may not be shown."""
        ...


class Base(Protocol):
    """The keys of the applied commit, relative to the prefix, with the hash of each value."""

    def get(self, key: str, /) -> BaseKey | None:
        """Answer what the applied commit said of a key."""
        ...

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...


class StoredBaseKey(msgspec.Struct, frozen=True, gc=False):
    """A base key as the state directory keeps it."""

    hash: bytes
    path: str | None = None
    secret: bool = True


class Commit(msgspec.Struct, frozen=True):
    """A commit as people know it. ``time`` is Unix seconds; ``worktree`` says that uncommitted edits are included."""

    id: str
    ref: str = ""
    author: str = ""
    message: str = ""
    time: int = 0
    worktree: bool = False

    @property
    def short(self) -> str:
        """The first seven digits, with a plus where uncommitted edits are included."""
        return short(self.id, worktree=self.worktree)


def short(commit: str, *, worktree: bool) -> str:
    """Name a commit in seven digits, with a plus where uncommitted edits are included."""
    return commit[:7] + ("+" if worktree else "")


def sorted_pairs(keys: Mapping[str, DesiredKey]) -> Iterable[tuple[str, DesiredKey]]:
    """List keys in the order of their bytes, as the store does: code points sort as their UTF-8 does."""
    return sorted(keys.items(), key=itemgetter(0))
