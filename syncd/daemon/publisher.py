"""Telling whole revisions: what changed since the last telling goes into the journal, and from there to subscribers."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain

from msgspec.structs import replace

from syncd.core.digest import value_hash
from syncd.core.event import Event, EventKind, KeyChange, ToldRevision, bounded
from syncd.core.publication import Difference, Past, Sayings, compare
from syncd.core.record import Applied, Record
from syncd.daemon.survey import Held
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.tables import Head, Published
from syncd.git.source import Revision
from syncd.log import get_logger

log = get_logger(__name__)

Tell = Callable[[Event], None]
Find = Callable[[Applied], Awaitable[Revision | None]]
"""Finds an applied revision in git; None where this node does not have it."""


class Publisher:
    """Publishes from what the daemon holds, whenever that is a whole revision.

    ``now`` gives Unix seconds; ``tell`` gets each event once it is in the journal; ``root`` is the tree's path in the
    repository.
    """

    def __init__(
        self, journal: Journal, view: View, find: Find, tell: Tell, *, root: str, now: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._find = find
        self._tell = tell
        self._root = root
        self._now = now
        self._held: Held | None = None
        self._owed: set[str] | None = None
        self._applied: str | None = None
        self._blind = False
        self._back = False
        self.view = view

    def owes(self, held: Held) -> bool:
        """Tell whether there may be anything to tell."""
        self._look(held)
        return self._owed != set()

    async def publish(self, held: Held, unsettled: frozenset[str] = frozenset()) -> None:
        """Tell what changed; nothing while a revision is being applied, of which half could be seen.

        ``unsettled`` are keys that were touched and may be healed at once: they wait for the next call. Raises
        StateError where the journal cannot be written; what was to be told is told by a later call.
        """
        async with self._journal.publishing:
            await self._publish(held, unsettled)

    async def _publish(self, held: Held, unsettled: frozenset[str]) -> None:
        owes, record = self.owes(held), held.record
        if record is None or record.applied is None or record.applying is not None:
            return
        moved = self._applied != _named(record.applied)
        if owes or moved or self._blind:
            sayings = await self._sayings(record.applied, held)
            if not self.view.ready:
                await self._begin(held, record, sayings)
            elif self._back or record.epoch != self._journal.head.epoch:
                await self._reset(held, record, sayings)
            else:
                await self._differ(held, record, sayings, without=unsettled)
            await self._hide(held, record, sayings)
            self._blind, self._back = sayings.keys is None, False
        self._show(record, held.index)
        self._owed, self._applied = set(unsettled), _named(record.applied)

    def _look(self, held: Held) -> None:
        """Note which keys may differ from what was published; every one after a read in full.

        A node that must not write, paused or standing by, sees the store go back without a new epoch.
        """
        stirred = held.mirror.take_stirred()
        if held is not self._held:
            self._back = self._back or held.is_older_than(self._held)
        if held is not self._held or stirred is None or self._owed is None:
            self._held, self._owed = held, None
        else:
            self._owed |= stirred

    async def _begin(self, held: Held, record: Record, sayings: Sayings) -> None:
        """Take up what was published before this process began; the very first time nothing is told of."""
        head = self._journal.head
        if not head.epoch:
            await self._note_all(held, record, sayings, None)
        elif head.epoch != record.epoch or held.index < head.record:
            await self._reset(held, record, sayings)
        else:
            self._applied = head.applied
            self._show_all(held, record, sayings)
            await self._differ(held, record, sayings, published=await self._journal.published())
        self.view.ready = True

    async def _reset(self, held: Held, record: Record, sayings: Sayings) -> None:
        """Tell that the store has gone back in time: what subscribers know counts no more."""
        log.warning("the store has gone back in time; subscribers are told everything anew", epoch=record.epoch)
        event = self._event("reset", record, held.index, (), len(held.live))
        await self._note_all(held, record, sayings, event)

    async def _note_all(self, held: Held, record: Record, sayings: Sayings, event: Event | None) -> None:
        self._show_all(held, record, sayings)
        view = self.view
        rows = ((key, value_hash(entry.value), key in view.secrets) for key, entry in view.entries.items())
        head = self._head(record, event.index if event else held.index, held.index)
        told = await self._journal.publish(event, head, rows, now=self._now(), everything=True)
        if told is not None:
            self._tell(told)

    def _show_all(self, held: Held, record: Record, sayings: Sayings) -> None:
        view, self._blind = self.view, True  # what the journal tells of may have become a secret unseen
        view.entries = dict(held.live)
        view.secrets = {key for key, entry in held.live.items() if sayings.hides(key, entry)}
        self._show(record, held.index)

    def _show(self, record: Record, index: int) -> None:
        assert record.applied is not None
        self.view.revision, self.view.epoch, self.view.index = told(record.applied), record.epoch, index
        self.view.moved()

    async def _differ(
        self,
        held: Held,
        record: Record,
        sayings: Sayings,
        *,
        published: dict[str, Published] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        assert record.applied is not None
        past = self.view.past if published is None else _remembered(published)
        known = self.view.entries.keys() if published is None else published.keys()
        keys = self._owed if self._owed is not None else chain(held.live, known - held.live.keys())
        found = list(compare((key for key in keys if key not in without), past, held.live, sayings))
        if self._owed is None:
            self.view.share(held.live)
        ours, foreign = _split(found, record.applied, self._applied or "")
        if ours:
            await self._tell_of("revision", ours, held, record, sayings)
        if foreign:
            await self._tell_of("foreign", foreign, held, record, sayings)

    async def _tell_of(
        self, kind: EventKind, found: Sequence[Difference], held: Held, record: Record, sayings: Sayings
    ) -> None:
        index = max(held.index if kind == "revision" else 0, *(each.entry.index for each in found if each.entry), 0)
        changes = bounded([each.change for each in found])
        event = self._event(kind, record, index, changes, len(found))
        rows = [(each.change.key, value_hash(each.entry.value), each.secret) for each in found if each.entry]
        gone = [each.change.key for each in found if each.entry is None]
        head, view = self._head(record, event.index, held.index), self.view
        became = {each.change.key for each in found if each.secret and each.change.key in view.entries} - view.secrets
        hide = became if sayings.keys is not None else set()
        told = await self._journal.publish(event, head, rows, gone, now=self._now(), hide=hide)
        self._take(found)
        self._show(record, held.index)
        if told is not None:
            self._tell(told)

    async def _hide(self, held: Held, record: Record, sayings: Sayings) -> None:
        """Follow what became a secret, or is none any more, without changing its value.

        Where git cannot be asked nothing is taken out of the journal: that would be for good.
        """
        view, step = self.view, held.settled
        known = step is not None and step.since == self._applied and not self._blind
        keys = step.changed if step is not None and known and step.changed is not None else view.entries.keys()
        turned = {
            key
            for key in keys
            if key in view.entries and sayings.hides(key, view.entries[key]) != (key in view.secrets)
        }
        became = turned - view.secrets
        view.secrets ^= turned
        hide = set() if sayings.keys is None else set(view.secrets) if self._blind else became
        noted = hide | turned
        if not noted:
            return
        view.turns, self._blind = view.turns + 1, True  # until it is written
        rows = [(key, value_hash(view.entries[key].value), key in view.secrets) for key in noted]
        head = self._head(record, self._journal.head.index, held.index)
        await self._journal.publish(None, head, rows, now=self._now(), hide=hide)

    def _take(self, found: Iterable[Difference]) -> None:
        view = self.view
        for each in found:
            key = each.change.key
            if each.entry is None:
                view.entries.pop(key, None)
            else:
                view.entries[key] = each.entry
            (view.secrets.add if each.secret else view.secrets.discard)(key)

    def _event(self, kind: EventKind, record: Record, index: int, changes: tuple[KeyChange, ...], count: int) -> Event:
        head = self._journal.head
        index = index if head.epoch != record.epoch else max(index, head.index)
        id_ = head.next_id(record.epoch, index)
        revision = told(record.applied) if record.applied and kind != "foreign" else None
        return Event(id_, kind, record.epoch, index, self._now(), changes, count, revision)

    def _head(self, record: Record, index: int, record_index: int) -> Head:
        head, applied = self._journal.head, record.applied
        name = _named(applied) if applied else ""
        return replace(head, epoch=record.epoch, index=index, applied=name, record=record_index)

    async def _sayings(self, applied: Applied, held: Held) -> Sayings:
        revision = held.settled
        if revision is None or (revision.commit.id, revision.commit.worktree) != (applied.commit, applied.worktree):
            revision = await self._find(applied)
        if revision is None:
            return Sayings(root=self._root)
        return Sayings(revision.tree.desired.keys, revision.tree.rules, self._root)


def told(applied: Applied) -> ToldRevision:
    """Describe a revision as events do."""
    return ToldRevision(
        applied.commit, applied.ref, applied.author, applied.message, applied.time, worktree=applied.worktree
    )


def _named(applied: Applied) -> str:
    """Name a revision apart from others: with uncommitted edits the commit does not fix it."""
    return f"{applied.commit}+{applied.digest}" if applied.worktree else applied.commit


def _split(found: Sequence[Difference], applied: Applied, before: str) -> tuple[list[Difference], list[Difference]]:
    """Part what the applied revision changed from what strangers did; ``before`` is the one that was published last.

    All counts as its own where there is no manifest, or that of a revision between the two is not known here.
    """
    if before == _named(applied):
        return [], list(found)
    manifest = applied.manifest if before.partition("+")[0] in (applied.previous, applied.commit) else None
    if manifest is None:
        return list(found), []
    ours = [each for each in found if each.change.key in manifest]
    return ours, [each for each in found if each.change.key not in manifest]


def _remembered(published: dict[str, Published]) -> Callable[[str], Past | None]:
    def past(key: str) -> Past | None:
        before = published.get(key)
        return None if before is None else Past(before.secret, None, before.hash)

    return past
