"""Questions on history: how two commits stand to each other, and who wrote a line."""

from typing import Final

from syncd.core.errors import GitError
from syncd.core.history import Relation
from syncd.git.commits import Commits
from syncd.git.process import Answer, Git
from syncd.git.raw import is_oid
from syncd.git.repository import Repository

_NEAR: Final = 64
"""Commits looked at one by one before a git process is started: the ordinary case is the very next commit."""


class History:
    """Answers from a repository's commits."""

    def __init__(self, repository: Repository, git: Git, commits: Commits) -> None:
        self._repository = repository
        self._git = git
        self._commits = commits

    async def relation(self, held: str, target: str) -> Relation:
        """Tell what the target commit is, seen from the one held."""
        if held == target:
            return Relation.SAME
        if not (await self._commits.exists(held) and await self._commits.exists(target)):
            return Relation.UNKNOWN
        try:
            return await self._search(held, target)
        except GitError:  # a commit between them is missing or damaged
            return Relation.UNKNOWN

    async def distance(self, held: str, target: str) -> int | None:
        """Count the commits that lead from one commit to a descendant; None where git cannot tell."""
        answer = await self._git.run("rev-list", "--count", f"{held}..{target}")
        count = answer.text.strip()
        return int(count) if answer.code == 0 and count.isdigit() else None

    async def last_change(self, path: str, line: int, commit: str) -> str | None:
        """Name the commit that wrote a line (0: that last touched the file), as seen from a commit."""
        found = await self._blame(path, line, commit) if line > 0 else None
        if found is None:
            found = await self._git.run("rev-list", "-1", commit, "--", path)
        oid = found.text[: 2 * self._repository.oid_bytes]
        return oid if found.code == 0 and is_oid(oid) else None

    async def _blame(self, path: str, line: int, commit: str) -> Answer | None:
        """Ask who wrote a line; None where git's settings name a list of commits to ignore that is not there."""
        options = ("--porcelain", "--no-textconv", "-L", f"{line},{line}")
        answer = await self._git.run("blame", *options, commit, "--", path)
        return None if answer.code and "object name list" in answer.complaint else answer

    async def _is_near(self, held: str, target: str) -> bool:
        seen, level = {target}, [target]
        while level and len(seen) < _NEAR:
            parents = [parent for commit in await self._commits.read(level) for parent in commit.parents]
            if held in parents:
                return True
            level = [parent for parent in dict.fromkeys(parents) if parent not in seen]
            seen.update(level)
        return False

    async def _search(self, held: str, target: str) -> Relation:
        if await self._is_near(held, target) or await self._is_ancestor(held, target):
            return Relation.DESCENDANT
        if await self._is_ancestor(target, held):
            return Relation.BEHIND
        # Where history was cut off, no answer is no proof.
        return Relation.UNKNOWN if self._is_shallow() else Relation.REWRITTEN

    async def _is_ancestor(self, commit: str, of: str) -> bool:
        answer = await self._git.run("merge-base", "--is-ancestor", commit, of)
        # Some versions answer "no" where they could not read on.
        if answer.code > 1 or (answer.code and "error:" in answer.complaint):
            raise GitError(answer.complaint, where=str(self._repository.root))
        return answer.code == 0

    def _is_shallow(self) -> bool:
        return (self._repository.common / "shallow").exists()
