"""What passes came to, and waiting for the next."""

import asyncio

from syncd.core.desired import Commit
from syncd.core.errors import Conflict, GitBusy, StateError
from syncd.core.problems import Problem, TreeError
from syncd.daemon.outcome import Outcome
from syncd.daemon.passes import Passes
from tests.support.planning import applied

ONE, TWO = Commit("1" * 40), Commit("2" * 40)
DONE, REFUSED, STANDBY = Outcome("applied"), Outcome("refused"), Outcome("standby")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def ended(passes: Passes, outcome: Outcome | None, *, holds: Commit | None = None) -> None:
    passes.begin()
    passes.end(outcome, None if outcome else Conflict("moved"), applied(holds.id) if holds else None)


async def test_git_is_ahead_from_when_a_commit_was_seen_until_it_is_applied() -> None:
    clock = Clock()
    passes = Passes(clock)
    passes.read(ONE, None)
    assert passes.behind == 100
    await ended(passes, DONE, holds=ONE)
    assert (passes.behind, passes.success) == (0, 100)
    clock.now = 200
    passes.read(TWO, None)
    clock.now = 210
    await ended(passes, REFUSED, holds=ONE)
    passes.read(TWO, None)
    await ended(passes, None)
    assert (passes.behind, passes.success, passes.conflicts) == (200, 100, 1)
    await ended(passes, STANDBY, holds=TWO)
    assert passes.behind == 0, "whoever leads has applied it"
    assert passes.results == {"applied": 1, "refused": 1, "failed": 1, "standby": 1}


async def test_a_tip_that_is_invalid_is_ahead_too_and_no_success() -> None:
    passes = Passes(Clock())
    passes.read(ONE, None)
    await ended(passes, DONE, holds=ONE)
    problem = Problem("error", "x", "a.yaml", 1, 1, "wrong")
    passes.read(None, TreeError((problem,), commit=TWO.id))
    await ended(passes, Outcome("unchanged"), holds=ONE)
    assert passes.tip == TWO
    assert passes.behind == 100
    assert not passes.retries
    passes.read(None, GitBusy("locked"))
    assert passes.retries


async def test_who_waits_gets_a_pass_that_began_later() -> None:
    passes = Passes(Clock())
    passes.begin()
    waiting = asyncio.create_task(passes.fresh())
    await asyncio.sleep(0)
    passes.end(DONE, None, None)
    await asyncio.sleep(0)
    assert not waiting.done()
    passes.begin()
    passes.end(None, StateError("full"), None)
    await waiting
    assert passes.outcome is DONE, "the last that came to something"


async def test_nobody_waits_for_a_daemon_that_stops() -> None:
    passes = Passes(Clock())
    waiting = asyncio.create_task(passes.fresh())
    await asyncio.sleep(0)
    passes.stop()
    await waiting
    await passes.fresh()
    await passes.over()
