"""The desired state as the daemon's passes read it: the branch's tip, or the last good one."""

from collections.abc import Callable
from functools import partial
from typing import Final

from syncd.core.errors import GitError
from syncd.core.problems import TreeError
from syncd.daemon.passes import Passes
from syncd.daemon.report import Report
from syncd.daemon.service import Pulse
from syncd.git.follow import RESCAN
from syncd.git.source import Revision, Source

SCAN_SECONDS: Final = 300.0
"""How long it may take to look at the files of a work tree."""


class Tip:
    """Reads one source's tip and follows it. ``worktree``: not the commit, but the files as they are now."""

    def __init__(self, source: Source, passes: Passes, report: Report, *, worktree: bool) -> None:
        self._source = source
        self._passes = passes
        self._report = report
        self._worktree = worktree
        self._good: Revision | None = None

    async def read(self) -> Revision:
        """Read the desired state; where it is invalid or gone, say so and stay with the last good one."""
        try:
            self._good = await (self._source.read_worktree() if self._worktree else self._source.read())
            self._passes.read(self._good.commit, None)
            self._report.source_error(None)
        except (TreeError, GitError) as caught:
            error = caught.below(self._source.path) if isinstance(caught, TreeError) else caught
            self._passes.read(None, error)
            if self._good is None:
                raise error from caught
            self._report.source_error(error)
        return self._good

    async def note_edits(self) -> None:
        """Say which files were edited and not committed, where only commits count."""
        if self._worktree:
            return
        try:
            edits = await self._source.uncommitted()
        except GitError:
            edits = ()  # the pass itself reports what is wrong with the repository
        self._passes.edits = edits
        self._report.edits(edits)

    async def follow(self, pulse: Pulse, changed: Callable[[], None]) -> None:
        """Watch the branch, or the files, for ever."""
        alive = partial(pulse.tick, SCAN_SECONDS if self._worktree else RESCAN)
        async for _ in self._source.follow(worktree=self._worktree, alive=alive):
            changed()
