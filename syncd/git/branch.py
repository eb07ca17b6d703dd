"""The branch that is followed, and what HEAD names."""

import re
from difflib import get_close_matches
from typing import Final

from syncd.core.errors import GitBusy, GitError
from syncd.core.text import some
from syncd.git.commits import Commits, Named
from syncd.git.objects import Missing, Objects
from syncd.git.process import Git
from syncd.git.repository import Repository

_HEADS: Final = "refs/heads/"
# What git forbids in a branch's name would mean something else when git resolves it.
_NAME: Final = re.compile(r"(?!-)(?!.*(\.\.|@\{))[^\x00- ~^:?*\[\\\x7f]+")


class Branch:
    """One branch, by its short name."""

    def __init__(self, name: str, repository: Repository, git: Git, objects: Objects) -> None:
        self.name = name.removeprefix(_HEADS)
        self._ref = _HEADS + self.name
        self._repository = repository
        self._git = git
        self._objects = objects
        self._commits = Commits(objects)

    async def first_tip(self) -> Named:
        """Return the newest commit; a branch without one was never there."""
        if _NAME.fullmatch(self.name) and (await self._target() or self._has_file()):
            return await self.tip()
        raise await self._never_there()

    async def tip(self) -> Named:
        """Return the newest commit; raise GitError where the branch is gone or cannot be read."""
        found = await self._commits.find(self._ref)
        if isinstance(found, Missing):
            # Perhaps only the long-lived process is out of date.
            await self._objects.restart()
            found = await self._commits.find(self._ref)
        if isinstance(found, Missing):
            raise await self._explain()
        return found

    async def _never_there(self) -> GitError:
        where, others = str(self._repository.root), await self._others()
        if self.name == checked_out(self._repository):
            hint = "make a first commit" + (f", or name another branch with --branch: {some(others)}" if others else "")
            return GitError(f"branch {self.name} has no commit yet", where=where, hint=hint)
        near = get_close_matches(self.name, others, 1)
        hint = f"there are: {some(others)}" if others else "the repository has no branch yet: make a first commit"
        hint = f"did you mean {near[0]}? {hint}" if near else hint
        return GitError(f"there is no branch {self.name[:80]!r}", where=where, hint=hint)

    async def _others(self) -> list[str]:
        answer = await self._git.run("for-each-ref", "--format=%(refname:short)", _HEADS)
        return answer.text.splitlines()

    async def _explain(self) -> GitError:
        where = str(self._repository.root)
        target = await self._target()
        if target:
            hint = "it may not have arrived yet; if it stays so: git fsck, or fetch it again"
            return GitBusy(f"branch {self.name} names the commit {target}, which is missing", where=where, hint=hint)
        if self._has_file():
            hint = "the last state is kept; git fsck shows the damage, git branch -f mends it"
            return GitError(f"the ref of branch {self.name} is damaged", where=where, hint=hint)
        hint = "the last state is kept; push or make it again, or restart with another --branch"
        return GitError(f"branch {self.name} is gone", where=where, hint=hint)

    async def _target(self) -> str:
        answer = await self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", self._ref)
        return answer.text if answer.code == 0 else ""

    def _has_file(self) -> bool:
        return (self._repository.common / self._ref).is_file()


def checked_out(repository: Repository) -> str | None:
    """Return the name of the branch that HEAD names, None where it is detached."""
    try:
        head = (repository.own / "HEAD").read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise GitError("HEAD cannot be read", where=str(repository.own), hint="git fsck shows the damage") from error
    ref = head.removeprefix("ref:").strip()
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None
