"""Reading commits."""

from collections.abc import Sequence

import msgspec

from syncd.core.desired import Commit
from syncd.git.objects import Found, Missing, Objects
from syncd.git.raw import Malformed, RawCommit, is_oid, parse_commit


class Named(msgspec.Struct, frozen=True):
    """A commit and its name."""

    oid: str
    raw: RawCommit

    def known_as(self, ref: str, *, worktree: bool = False) -> Commit:
        """Return the commit as people know it."""
        raw = self.raw
        return Commit(self.oid, ref, raw.author, raw.message, raw.time, worktree)


class Commits:
    """Reads a repository's commit objects."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def find(self, revision: str) -> Named | Missing:
        """Return the commit that a revision resolves to."""
        answer = await self._objects.one(f"{revision}^{{commit}}")
        return answer if isinstance(answer, Missing) else self._parse(answer)

    async def exists(self, oid: str) -> bool:
        """Tell whether a full name names a commit that is here."""
        return is_oid(oid) and not isinstance(await self.find(oid), Missing)

    async def read(self, oids: Sequence[str]) -> list[RawCommit]:
        """Return those of the commits that are here."""
        answers = [answer async for answer in self._objects.read(oids)]
        return [self._parse(answer).raw for answer in answers if isinstance(answer, Found)]

    def _parse(self, answer: Found) -> Named:
        content = self._objects.demand(answer, "commit")
        try:
            return Named(answer.oid, parse_commit(content))
        except Malformed as error:
            raise self._objects.damaged(answer.oid, str(error)) from None
