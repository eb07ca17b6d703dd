"""One branch of one repository as the source of a tree."""

import os
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Self

from syncd.core.desired import Commit
from syncd.core.errors import GitBusy, GitError
from syncd.core.history import Relation
from syncd.git.branch import Branch, checked_out
from syncd.git.commits import Commits, Named
from syncd.git.follow import RESCAN, follow, watch_files, watch_refs
from syncd.git.history import History
from syncd.git.objects import Missing, Objects
from syncd.git.process import Git
from syncd.git.repository import NO_FOLDER, Repository, discover
from syncd.git.revisions import Revision, Revisions
from syncd.git.trees import Trees
from syncd.git.worktree import Worktree

__all__ = ["Revision", "Source"]

_ATTEMPTS: Final = 3
_LONGEST_REVISION: Final = 1000


class Source:
    """The tree at ``path`` in ``repository`` as ``branch`` says it. Made by ``open``; ``close`` ends its process."""

    def __init__(self, repository: Repository, git: Git, path: str, prefix: str, branch: str) -> None:
        self.repository = repository.root
        self.bare = repository.bare
        self.path = path
        self._facts = repository
        self._objects = Objects(repository, git)
        self._commits = Commits(self._objects)
        self._branch = Branch(branch, repository, git, self._objects)
        self._history = History(repository, git, self._commits)
        self._worktree = Worktree(repository, git, os.fsencode(path))
        trees = Trees(self._objects, repository.oid_bytes)
        self._revisions = Revisions(os.fsencode(path), prefix, self._objects, trees)

    @classmethod
    async def open(cls, repository: Path, *, path: str, prefix: str, branch: str | None = None) -> Self:
        """Find the repository and see that the branch (None: the one checked out) has a commit."""
        found, git = await discover(repository)
        name = branch or checked_out(found)
        if name is None:
            raise GitError("HEAD is detached", where=str(found.root), hint="name a branch to follow with --branch")
        source = cls(found, git, _normal(path), prefix, name)
        try:
            await source._branch.first_tip()
        except BaseException:
            await source.close()
            raise
        return source

    @property
    def branch(self) -> str:
        """The branch's short name."""
        return self._branch.name

    async def tip(self) -> str:
        """Return the id of the branch's newest commit."""
        return (await self._branch.tip()).oid

    async def resolve(self, revision: str) -> str:
        """Return the id of the commit that a revision (``HEAD~1``, a tag, an id's beginning) means."""
        return (await self._resolve(revision)).oid

    async def read(self, commit: str | None = None) -> Revision:
        """Read the tree at a commit, by default the branch's newest; raise TreeError where it is invalid."""
        named = await self._branch.tip() if commit is None else await self._resolve(commit)
        return await self._revisions.at(named, self.branch)

    async def contents(self, commit: str, paths: Collection[str]) -> Mapping[str, bytes]:
        """Return files of the tree, by their path in it, as a commit holds them."""
        return await self._revisions.contents(await self._resolve(commit), paths)

    async def read_worktree(self) -> Revision:
        """Read the files on disk, with edits that are not committed; ``commit`` is HEAD's."""
        self._demand_worktree()
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._read_worktree()
            except GitBusy:  # a file was just being written
                continue
        return await self._read_worktree()

    async def relation(self, held: str, target: str) -> Relation:
        """Tell what the target commit is, seen from the commit that is held."""
        return await self._history.relation(held, target)

    async def distance(self, held: str, target: str) -> int | None:
        """Count the commits that lead from one commit to a descendant; None where git cannot tell."""
        return await self._history.distance(held, target)

    def follow(
        self, *, worktree: bool = False, every: float = RESCAN, alive: Callable[[], None] | None = None
    ) -> AsyncGenerator[None, None]:
        """Yield once, then after every possible change of the branch or of files on disk.

        What changed, if anything, tell ``tip``, ``uncommitted`` and ``read_worktree``. A look every few seconds
        (``worktree``: at the files too) stands in where notifications do not arrive. ``alive`` is called as git
        answers, whoever asked it: at least once for each look, unless git hangs.
        """
        if alive is not None:
            self._objects.alive = alive
        watches = [watch_refs(self._facts, self.branch)]
        if not self.bare:
            watches.append(watch_files(self.repository / self.path))
        return follow(watches, self._look_at_all if worktree else self._look, every=every)

    async def uncommitted(self) -> tuple[str, ...]:
        """Name the files, relative to the tree's root, whose content on disk is not that of the branch's tip.

        Empty where the branch is not the one checked out. A file that git converts by a filter of its own counts as
        edited, because filters are programs.
        """
        if self.bare or checked_out(self._facts) != self.branch:
            return ()
        return await self._revisions.uncommitted(await self._branch.tip(), self._worktree)

    async def blame(self, path: str, line: int, commit: str) -> Commit | None:
        """Return the commit that wrote a line of a file (line 0: that last touched it), as seen from a commit."""
        full = f"{self.path}/{path}" if self.path else path
        found = await self._history.last_change(full, line, await self.resolve(commit))
        return (await self._resolve(found)).known_as(self.branch) if found else None

    async def close(self) -> None:
        """End the long-lived git process."""
        await self._objects.close()

    async def _resolve(self, revision: str) -> Named:
        usable = len(revision) <= _LONGEST_REVISION and revision.isprintable() and revision != ""
        found = await self._commits.find(revision) if usable else Missing(revision, "unusable")
        if isinstance(found, Missing):
            ambiguous = found.reason == "ambiguous"
            raise GitError(
                f"{revision[:80]!r} is ambiguous" if ambiguous else f"there is no commit {revision[:80]!r}",
                where=str(self.repository),
                hint="give more digits" if ambiguous else "git log shows what there is; fetch what is missing",
            )
        return found

    async def _read_worktree(self) -> Revision:
        head = await self._resolve("HEAD")
        return await self._revisions.on_disk(head, checked_out(self._facts) or "", self._worktree)

    async def _look(self) -> object:
        try:
            return await self.tip()
        except GitError as error:
            return str(error)

    async def _look_at_all(self) -> object:
        try:
            seen = await self._worktree.scan()
            return await self._look(), {path: file.entry for path, file in seen.items()}
        except GitError as error:
            return str(error)

    def _demand_worktree(self) -> None:
        if self.bare:
            raise GitError("a bare repository has no files on disk", where=str(self.repository))


def _normal(path: str) -> str:
    """Write a path as git's trees do."""
    parts = PurePosixPath(path).parts
    if ".." in parts or path.startswith("/") or "\0" in path:
        raise GitError(f"{path!r} is not a folder inside the repository", hint=NO_FOLDER)
    return "/".join(parts)
