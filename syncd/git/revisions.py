"""Making revisions, each from the one read last: what a commit costs depends on what it touches."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from syncd.core.desired import Commit
from syncd.core.errors import GitError
from syncd.core.problems import TreeError
from syncd.core.rules import Rules
from syncd.core.tree import Tree, TreeEntry, sort_out
from syncd.git.assembly import IGNORE, RULES, Assembler, Content, Reader
from syncd.git.commits import Named
from syncd.git.objects import Found, Objects
from syncd.git.repository import NO_FOLDER
from syncd.git.trees import Difference, Trees
from syncd.git.worktree import Seen, Worktree

_KEPT: Final = 4


class Revision(msgspec.Struct, frozen=True):
    """A tree as a commit (or the work tree) says it.

    ``since`` is the commit that it was made from, ``changed`` the keys that differ between the two; None where that
    is not known.
    """

    commit: Commit
    tree: Tree
    since: str | None
    changed: frozenset[str] | None


class _Kept(msgspec.Struct, frozen=True):
    revision: Revision
    root: str


class _OnDisk(msgspec.Struct, frozen=True):
    revision: Revision
    difference: Difference


class _Edits(msgspec.Struct, frozen=True):
    """What leads from a commit to the files on disk."""

    committed: Mapping[bytes, TreeEntry]
    seen: Mapping[bytes, Seen]
    difference: Difference

    def counting(self, rules: Rules) -> frozenset[str]:
        """Name the differing files that the rules do not leave out; the rules' own files count too."""
        gone = (self.committed[path] for path in self.difference.gone)
        found = sort_out([*self.difference.changed, *gone], rules)
        own = {path.decode() for path in self.difference.paths & {RULES, IGNORE}}
        return frozenset(found.files) | {problem.path for problem in found.problems} | own


class Revisions:
    """Reads the tree at one path. Keeps the few revisions read last; reading one of them again costs nothing."""

    def __init__(self, path: bytes, prefix: str, objects: Objects, trees: Trees) -> None:
        self._path = path
        self._objects = objects
        self._trees = trees
        self._assembler = Assembler(prefix)
        self._lock = asyncio.Lock()
        self._kept: dict[str, _Kept] = {}
        self._on_disk: _OnDisk | None = None
        self._invalid: TreeError | None = None
        self._listed: tuple[str, Mapping[bytes, TreeEntry]] = ("", {})

    async def at(self, commit: Named, ref: str) -> Revision:
        """Read the tree at a commit; raise TreeError where it is invalid, which leaves what was read before."""
        async with self._lock:
            return await self._at(commit, ref)

    async def on_disk(self, head: Named, ref: str, worktree: Worktree) -> Revision:
        """Read the work tree; equal to HEAD in every file that counts, it is HEAD's revision."""
        async with self._lock:
            edits = await self._edits(head, worktree)
            difference = edits.difference
            base = await self._base(head, ref, edited=bool(difference.paths))
            if base is not None and not edits.counting(base.tree.rules):
                return base
            known, commit = self._on_disk, head.known_as(ref, worktree=True)
            if known and (known.difference, known.revision.commit) == (difference, commit):
                return known.revision
            everything = {path: file.entry for path, file in edits.seen.items()}
            revision = await self._make(commit, base, difference, lambda: _ready(everything), worktree.read)
            self._on_disk = _OnDisk(revision, difference)
            return revision

    async def uncommitted(self, tip: Named, worktree: Worktree) -> tuple[str, ...]:
        """Name the files that count and whose content on disk is not that of a commit."""
        async with self._lock:
            edits = await self._edits(tip, worktree, as_text=True)
            newest = next(reversed(self._kept.values()), None)
            rules = newest.revision.tree.rules if newest else Rules.parse(None, None)
            return tuple(sorted(edits.counting(rules)))

    async def contents(self, commit: Named, paths: Collection[str]) -> Mapping[str, bytes]:
        """Read files that a valid tree has."""
        async with self._lock:
            listed = await self._list(await self._root(commit))
            entries = [listed[os.fsencode(path)] for path in paths]
            async with aclosing(self._objects.read([entry.oid for entry in entries])) as answers:
                found = [self._objects.demand(answer, "blob") async for answer in answers]
        return dict(zip(paths, found, strict=True))

    async def _at(self, commit: Named, ref: str) -> Revision:
        kept = self._kept.pop(commit.oid, None)
        if kept is None:
            kept = await self._read(commit, ref)
        elif kept.revision.commit.ref != ref:
            kept = _Kept(msgspec.structs.replace(kept.revision, commit=commit.known_as(ref)), kept.root)
        self._kept[commit.oid] = kept
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return kept.revision

    async def _read(self, commit: Named, ref: str) -> _Kept:
        if self._invalid is not None and self._invalid.commit == commit.oid:
            raise TreeError(self._invalid.problems, commit=commit.oid)
        root = await self._root(commit)
        if not root:
            path = self._path.decode(errors="backslashreplace")
            raise GitError(f"there is no folder {path} in commit {commit.oid[:7]}", hint=NO_FOLDER)
        last = next(reversed(self._kept.values()), None)
        try:
            difference = await self._trees.compare(last.root if last else "", root)
            revision = await self._make(
                commit.known_as(ref),
                last.revision if last else None,
                difference,
                lambda: self._list(root),
                self._read_blobs,
            )
        except TreeError as error:
            self._invalid = TreeError(error.problems, commit=commit.oid)
            raise self._invalid from None
        return _Kept(revision, root)

    async def _make(
        self,
        commit: Commit,
        base: Revision | None,
        difference: Difference,
        everything: Callable[[], Awaitable[Mapping[bytes, TreeEntry]]],
        read: Reader,
    ) -> Revision:
        if base is None or difference.paths & {RULES, IGNORE}:
            return Revision(commit, await self._assembler.build(await everything(), read), None, None)
        if not difference.paths:
            return Revision(commit, base.tree, base.commit.id, frozenset())
        update = await self._assembler.update(base.tree, difference, read)
        return Revision(commit, update.tree, base.commit.id, update.changed)

    async def _base(self, head: Named, ref: str, *, edited: bool) -> Revision | None:
        """Return HEAD's revision; None where it is unusable but edits may have mended it."""
        try:
            return await self._at(head, ref)
        except (TreeError, GitError):
            if not edited:
                raise
            return None

    async def _edits(self, commit: Named, worktree: Worktree, *, as_text: bool = False) -> _Edits:
        """Compare a commit with what is on disk; ``as_text`` forgives line ends that git may have converted."""
        root = await self._root(commit)
        committed = await self._list(root) if root else {}
        seen = await worktree.scan()
        changed = (file.entry for path, file in seen.items() if not _is_same(file, committed.get(path), as_text))
        return _Edits(committed, seen, Difference(frozenset(committed.keys() - seen.keys()), tuple(changed)))

    async def _root(self, commit: Named) -> str:
        return await self._trees.find(commit.oid, commit.raw.tree, self._path) or ""

    async def _list(self, root: str) -> Mapping[bytes, TreeEntry]:
        if self._listed[0] != root:
            self._listed = (root, await self._trees.list(root))
        return self._listed[1]

    async def _read_blobs(self, entries: Sequence[TreeEntry]) -> AsyncGenerator[Content, None]:
        async with aclosing(self._objects.read([entry.oid for entry in entries])) as answers:
            async for answer in answers:
                if isinstance(answer, Found) and answer.content is None:
                    yield Content(answer.size, None)
                else:
                    content = self._objects.demand(answer, "blob")
                    yield Content(len(content), content)


def _is_same(file: Seen, committed: TreeEntry | None, as_text: bool) -> bool:
    if committed is None or committed.kind != file.entry.kind:
        return False
    if committed.kind != "file" or committed.oid == file.entry.oid:
        return True
    return as_text and committed.oid == file.text_oid


async def _ready(entries: Mapping[bytes, TreeEntry]) -> Mapping[bytes, TreeEntry]:
    return entries
