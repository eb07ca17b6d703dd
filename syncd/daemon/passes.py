"""What the daemon's passes came to: for those who ask, and for those who wait for the next one."""

import asyncio
from collections.abc import Callable
from typing import Final

from syncd.core.control import Control
from syncd.core.desired import Commit
from syncd.core.errors import Conflict, Kind, SyncdError
from syncd.core.problems import TreeError
from syncd.core.record import Applied
from syncd.daemon.outcome import Outcome

FINE: Final = ("applied", "unchanged")


class Passes:
    """The daemon writes it, others read, and anybody may want the next one. Times are Unix seconds, 0.0: never.

    ``tip`` is the newest commit of the branch that was seen, valid or not; ``behind`` is since when it was seen and not
    applied. ``source_error`` says what keeps it from being read, ``error`` what the last pass failed of.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._over = asyncio.Event()
        self.wanted = asyncio.Event()
        self.began = now()
        self.begun = self.ended = self.conflicts = 0
        self.results: dict[str, int] = {}
        self.tip: Commit | None = None
        self.edits: tuple[str, ...] = ()
        self.control: Control | None = None
        self.source_error: SyncdError | None = None
        self.error: SyncdError | None = None
        self.outcome: Outcome | None = None
        self.last = self.success = self.behind = 0.0
        self.stopping = False

    def want(self) -> None:
        """Have a pass begin as soon as may be."""
        self.wanted.set()

    def begin(self) -> None:
        """A pass begins."""
        self.begun += 1

    def read(self, tip: Commit | None, error: SyncdError | None) -> None:
        """Note what the branch says, or what keeps it from being read."""
        self.source_error = error
        if isinstance(error, TreeError) and error.commit:
            tip = Commit(error.commit)
        if tip is not None and tip != self.tip:
            self.tip = tip
            self.behind = self.behind or self._now()

    def end(self, outcome: Outcome | None, error: SyncdError | None, applied: Applied | None) -> None:
        """Note how the pass ended, and what the store holds now as far as is known."""
        self.ended, self.last, self.error = self.begun, self._now(), error
        self.outcome = outcome or self.outcome
        result = outcome.result if outcome else "failed"
        self.results[result] = self.results.get(result, 0) + 1
        self.conflicts += isinstance(error, Conflict)
        fine = outcome is not None and outcome.result in FINE and self.source_error is None
        if fine:
            self.success = self.last
        if fine or (applied is not None and self.tip is not None and applied.commit == self.tip.id):
            self.behind = 0.0
        elif applied is not None and self.tip is not None:
            self.behind = self.behind or self.last
        self._tell()

    @property
    def retries(self) -> bool:
        """Tell whether what failed is tried again soon, by itself."""
        error = self.error or self.source_error
        return error is not None and error.kind is Kind.RETRY

    def stop(self) -> None:
        """There will be no more: let nobody wait."""
        self.stopping = True
        self._tell()

    async def over(self) -> None:
        """Wait until the next pass ends, or none will come."""
        if not self.stopping:
            await self._over.wait()

    async def fresh(self) -> None:
        """Wait for the end of a pass that has not begun yet."""
        wanted = self.begun + 1
        while self.ended < wanted and not self.stopping:
            await self.over()

    def _tell(self) -> None:
        over, self._over = self._over, asyncio.Event()
        over.set()
