"""Telling subscribers of what failed on schedule, by the journal and the outbox as everything else is told."""

from collections.abc import Callable

from msgspec.structs import replace

from syncd.core.errors import StateError
from syncd.core.event import Event
from syncd.core.snapshots.failing import Failure, note
from syncd.fanout.journal import Journal
from syncd.log import get_logger

log = get_logger(__name__)


class Alarm:
    """Tells each failure once, whatever restarts; ``tell`` gets each event once it is in the journal."""

    def __init__(self, journal: Journal, tell: Callable[[Event], None], *, now: Callable[[], float]) -> None:
        self._journal = journal
        self._tell = tell
        self._now = now
        self._said = ""

    async def sound(self, failure: Failure) -> None:
        """Tell a failure that was not told yet; where the journal cannot be written, a later call tells it."""
        async with self._journal.publishing:
            head, now = self._journal.head, self._now()
            noted = note(head.failures, failure)
            if noted is None:
                return
            id_ = head.next_id(head.epoch, head.index)
            event = Event(id_, "snapshot", head.epoch, head.index, now, (), 0, failures=(failure,))
            try:
                told = await self._journal.publish(event, replace(head, failures=noted), (), now=now)
            except StateError as error:
                if str(error) != self._said:
                    self._said = str(error)
                    log.warning("subscribers cannot be told of a failure yet", why=error.message, hint=error.hint)
                return
            self._said = ""
            if told is not None:
                self._tell(told)
