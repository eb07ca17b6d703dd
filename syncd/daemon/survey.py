"""Reading all that a plan needs, and drawing the plan up."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from syncd.core import digest
from syncd.core.desired import Base, DesiredKey
from syncd.core.errors import Denied, GitError, NotWhole, RecordError, SyncdError
from syncd.core.history import Relation, gravest
from syncd.core.keys import RESERVED
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.mirror import Mirror
from syncd.core.plan import Plan
from syncd.core.planning import Situation, make_plan
from syncd.core.problems import TreeError
from syncd.core.record import Applied, Record, commits_to_follow, decode
from syncd.daemon.state import State
from syncd.git.source import Revision, Source
from syncd.store.store import Store

_RECORD_BELOW: Final = f"/{RESERVED}/revision"

Origin = Literal["git", "state", "marks", "none"]


class Held(msgspec.Struct):
    """What the store holds: as read in full at ``listed``, kept up by our own writes and by what the observer sees.

    ``index`` is the ModifyIndex of the control record, 0 where there is none. ``settled`` is the revision that live
    equals but for what a plan left alone: a later plan need only look at what changed since, in git or, ``touched``,
    in the store.
    """

    mirror: Mirror
    record: Record | None
    index: int
    listed: int
    settled: Revision | None = None
    touched: set[str] = msgspec.field(default_factory=set)

    @property
    def live(self) -> dict[str, Entry]:
        """The configuration by key."""
        return self.mirror.entries

    def is_older_than(self, seen: "Held | None") -> bool:
        """Tell whether the store has gone back in time within an epoch: what was held before is newer."""
        if seen is None or seen.record is None or self.record is None or seen.record.epoch != self.record.epoch:
            return False
        return self.index < seen.index or seen.mirror.is_newer(self.live)


class FoundBase(msgspec.Struct, frozen=True):
    """The applied commit's keys and where they were found; ``revision`` where git still has that commit."""

    keys: Base | None
    origin: Origin
    revision: Revision | None = None


class Survey:
    """Reads git, store and state directory for one source, and draws up plans; never writes."""

    def __init__(self, store: Store, source: Source, state: State | None, *, name: str, prefix: str) -> None:
        self._store = store
        self._source = source
        self._state = state
        self._name = name
        self._prefix = prefix

    async def hold(self, known: Mapping[str, DesiredKey] | None = None) -> Held:
        """Read the store in full; raise unless the list is proved whole (design: nothing filtered, nothing torn).

        ``known`` lends its key and value objects to equal live entries, to save memory.
        """
        await self.demand_rights()
        listing = await self._store.listing(known)
        entry = listing.own.get("revision")
        if entry is None and await self._store.own("revision") is not None:
            raise NotWhole(
                "the list lacks the control record, which does exist",
                where=self._prefix,
                hint="it may be filtered by ACLs, or the record was just made; nothing was concluded from it",
            )
        record = decode(entry.value) if entry else None
        self._demand_no_twin(listing.entries)
        return Held(Mirror(listing.entries), record, entry.index if entry else 0, listing.index)

    def _demand_no_twin(self, entries: Mapping[str, Entry]) -> None:
        """Refuse to go on beside a source of the same name inside this prefix: its keys carry the same mark as ours."""
        for key, entry in entries.items():
            if key.endswith(_RECORD_BELOW) and _mark_in(entry) == mark_of(self._name):
                raise SyncdError(
                    f"another source, also named {self._name!r}, stands inside this prefix, at {key}",
                    where=self._prefix,
                    hint="give one of them another source.name; if that record is a leftover, delete its key",
                )

    async def plan(
        self, held: Held, revision: Revision, *, lineage: str | None = None, resting: frozenset[str] = frozenset()
    ) -> Plan:
        """Compare a revision with what the store holds."""
        only = _unsettled(held, revision)
        settled = held.settled if only is not None else None
        base = settled.tree.desired.keys if settled else (await self.base(held.record)).keys
        return make_plan(
            Situation(
                source=self._name,
                prefix=self._prefix,
                commit=revision.commit,
                desired=revision.tree.desired,
                live=held.live,
                record=held.record,
                base=base,
                relation=await self.relation(held.record, revision.commit.id),
                lineage=lineage,
                only=only,
                resting=resting,
            )
        )

    async def relation(self, record: Record | None, target: str) -> Relation:
        """Tell how a commit stands to those that it must follow; SAME where nothing was applied yet."""
        followed = commits_to_follow(record, target)
        return gravest([await self._source.relation(held, target) for held in followed])

    async def base(self, record: Record | None) -> FoundBase:
        """Find the applied commit's keys: in git at that commit, else in the state directory, else marks must do."""
        if record is None or record.applied is None:
            return FoundBase(None, "none")
        revision = await self.applied_revision(record.applied)
        if revision is not None:
            return FoundBase(revision.tree.desired.keys, "git", revision)
        kept = await self._state.base(record.applied) if self._state else None
        return FoundBase(kept, "state" if kept is not None else "marks")

    async def applied_revision(self, applied: Applied) -> Revision | None:
        """Read the applied commit from git; None unless it yields exactly what was applied (same digest)."""
        try:
            revision = await self._source.read(applied.commit)
        except (GitError, TreeError):
            return None
        return revision if digest.render(revision.tree.desired.digest) == applied.digest else None

    async def demand_rights(self) -> None:
        """Raise Denied unless the token may write, and so see, every key under the prefix."""
        if not await self._store.may_write():
            raise Denied(
                "the token may not write (or not even see) every key under the prefix, so a list may be incomplete",
                where=self._prefix,
                hint=f'give it key_prefix "{self._prefix}" {{ policy = "write" }}; nothing was read or changed',
            )


def _mark_in(entry: Entry) -> int | None:
    try:
        return decode(entry.value).mark
    except RecordError:
        return None


def _unsettled(held: Held, revision: Revision) -> frozenset[str] | None:
    """Return the keys that can differ, where that is known: live equalled the settled revision."""
    settled = held.settled
    if settled is None:
        return None
    if revision is settled:
        return frozenset(held.touched)
    known = revision.since == settled.commit.id and not settled.commit.worktree
    return revision.changed | held.touched if known and revision.changed is not None else None
