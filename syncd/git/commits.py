"""Reading commits."""

from collections.abc import Sequence
from typing import Final

import msgspec

from syncd.core.desired import Commit
from syncd.git.objects import Found, Missing, Objects
from syncd.git.raw import Malformed, RawCommit, is_oid, parse_commit

_REMEMBERED: Final = 256


class Named(msgspec.Struct, frozen=True):
    """A commit and its name."""

    oid: str
    raw: RawCommit

    def known_as(self, ref: str, *, worktree: bool = False) -> Commit:
        """Return the commit as people know it."""
        raw = self.raw
        return Commit(self.oid, ref, raw.author, raw.message, raw.time, worktree)


class Commits:
    """Reads a repository's commit objects, and remembers the last few hundred: a name fixes what it names."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, RawCommit] = {}

    async def find(self, revision: str) -> Named | Missing:
        """Return the commit that a revision resolves to."""
        answer = await self._objects.one(f"{revision}^{{commit}}")
        return answer if isinstance(answer, Missing) else self._parse(answer)

    async def exists(self, oid: str) -> bool:
        """Tell whether a full name names a commit that is here."""
        return oid in self._known or (is_oid(oid) and not isinstance(await self.find(oid), Missing))

    async def read(self, oids: Sequence[str]) -> list[RawCommit]:
        """Return those of the commits that are here."""
        answers = [answer async for answer in self._objects.read([oid for oid in oids if oid not in self._known])]
        found = {answer.oid: self._parse(answer).raw for answer in answers if isinstance(answer, Found)}
        return [found.get(oid) or self._known[oid] for oid in oids if oid in found or oid in self._known]

    def _parse(self, answer: Found) -> Named:
        content = self._objects.demand(answer, "commit")
        try:
            raw = parse_commit(content)
        except Malformed as error:
            raise self._objects.damaged(answer.oid, str(error)) from None
        self._known[answer.oid] = raw
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return Named(answer.oid, raw)
