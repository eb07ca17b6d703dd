"""What is done on schedule, once for each date: when it is due, tried again where it failed, told where it is late."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from syncd.core.errors import Busy, Conflict, StoreError, SyncdError
from syncd.core.snapshots.failing import Cause, Failure, Good, What
from syncd.core.snapshots.schedule import LATE_SECONDS, Due, Schedule, retry_after
from syncd.daemon.answers import Trouble, trouble_of
from syncd.daemon.turn import Turn
from syncd.log import get_logger

log = get_logger(__name__)

Sound = Callable[[Failure], Awaitable[None]]
"""Tells subscribers of a failure, unless they were told of it."""
_LATE = "not done two hours after its time"


class Duty(ABC):
    """One such thing; whether it is done, the folder says. ``node`` names this process, ``now`` gives Unix seconds.

    ``expression`` is the schedule as it was written, for people; ``late`` says what to do where it is late.
    """

    def __init__(
        self,
        what: What,
        turn: Turn,
        schedule: Schedule,
        sound: Sound,
        *,
        expression: str,
        node: str,
        late: str,
        now: Callable[[], float],
    ) -> None:
        self.turn = turn
        self.schedule = schedule
        self.expression = expression
        self.now = now
        self._what: What = what
        self._named = f"the scheduled {what}"
        self._sound = sound
        self._node = node
        self._hint = late
        self._done = False
        self._mine = self.retry = 0.0
        self._row = 0
        self._failure: Failure | None = None
        self._error: SyncdError | None = None
        self._told = ""
        self.tried = self.failed = 0.0
        self.failures = 0
        self.is_late = False

    @abstractmethod
    async def is_met(self, due: Due, now: float) -> bool:
        """Ask the folder whether it is done; ``forgive`` where it was done since it failed."""

    @abstractmethod
    async def do(self, due: Due, now: float) -> bool:
        """Do it, and tell whether it is done; Busy or Conflict where another one does it."""

    @abstractmethod
    def last(self) -> Good | None:
        """Name the last snapshot that is good, or was found so."""

    @property
    def trouble(self) -> Trouble | None:
        """Say what is wrong, if anything is."""
        late = Trouble(f"{self._named} is late", hint=self._hint) if self.is_late else None
        return trouble_of(self._error) or late

    async def look(self) -> None:
        """Do what is due, unless it is done or is another node's."""
        now, self._done = self.now(), False
        due = self.schedule.latest(now)
        try:
            self._done = await self.is_met(due, now)
            if not self._done and await self._is_mine(now) and self._may_try(now):
                self._done = await self.do(due, now)
        except (Busy, Conflict) as error:
            log.debug("another one does it", what=self._what, why=str(error))
        except SyncdError as error:
            if self._may_try(now):  # a folder that cannot be read would fail every minute
                self._fail(error, due)
            await self._ask(now)
        self._note_late(due)
        await self._alarm(due)

    def forgive(self) -> None:
        """Forget what failed: it is done, by whomever, or another one's to do."""
        self.failed = self.retry = 0.0
        self._row, self._error, self._failure, self._told = 0, None, None, ""

    async def _is_mine(self, now: float) -> bool:
        mine = await self._ask(now)
        if mine is False:
            self.forgive()
        return bool(mine)

    async def _ask(self, now: float) -> bool | None:
        """Ask whose turn it is, and note since when it is ours; None where the store does not say."""
        try:
            mine = await self.turn.is_mine()
        except StoreError:  # the passes say that it is away; where it stays away, this becomes late
            return None
        self._mine = min(self._mine or now, now) if mine else 0.0  # the clock may have been put back
        return mine

    def _may_try(self, now: float) -> bool:
        """Tell whether it is time; a clock that was put back does not put the next try off."""
        return not self.failed <= now < self.retry

    def _fail(self, error: SyncdError, due: Due) -> None:
        self.failures += 1
        self._row += 1
        self.failed = self.now()
        self.retry, self._error = self.failed + retry_after(self._row), error
        self._failure = self._failed(due, "failed", error.message, error.where, error.hint)
        if self._told != str(error):
            self._told = str(error)
            event = f"{self._named} failed"
            place = {"at": error.where} if error.where else {}
            log.error(event, why=error.message, **place, hint=error.hint)

    def _note_late(self, due: Due) -> None:
        """Say once when it is late; only who is to do it can tell."""
        waited = self.now() - max(due.at, self._mine)
        late = not self._done and bool(self._mine) and waited > LATE_SECONDS
        if late and not self.is_late:
            event = f"{self._named} is late"
            log.error(event, date=str(due.day), hint=self._hint)
        self.is_late = late

    async def _alarm(self, due: Due) -> None:
        """Have subscribers told; each time, for the journal may not have taken it before."""
        if self._failure is not None and self._mine:
            await self._sound(self._failure)
        if self.is_late:
            await self._sound(self._failed(due, "late", _LATE, "", self._hint))

    def _failed(self, due: Due, cause: Cause, why: str, where: str, hint: str) -> Failure:
        return Failure(self._what, cause, str(due.day), int(due.at), self._node, why, where, hint, self.last())
