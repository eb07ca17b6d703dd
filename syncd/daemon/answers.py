"""What a running daemon answers, as values; times are Unix seconds, 0.0 or 0: never."""

from typing import Literal

import msgspec

from syncd.core.desired import Commit
from syncd.core.errors import SyncdError
from syncd.core.event import ToldRevision
from syncd.core.problems import Problem, TreeError
from syncd.core.saved import SavedChange, SavedRefusal
from syncd.daemon.line import Standings

Role = Literal["starting", "leading", "standby", "paused"]


class Trouble(msgspec.Struct, frozen=True):
    """An error in words: what happened, where, what to do."""

    message: str
    where: str = ""
    hint: str = ""


class LiveSource(msgspec.Struct, frozen=True):
    """The desired state; ``tip`` is None until it was read, and has its id alone where the commit is invalid.

    ``edits`` are files, from the repository's root, that were edited and not committed.
    """

    repository: str
    path: str
    branch: str
    tip: Commit | None
    edits: tuple[str, ...]
    trouble: Trouble | None
    problems: tuple[Problem, ...]


class LivePass(msgspec.Struct, frozen=True):
    """How the last pass ended; ``result`` is that of the last one that did not fail, "" before the first.

    ``hash`` is what an approval must name, "" where none is needed. ``withheld`` counts deletes that wait for one,
    ``left`` keys that differ and stay. ``trouble`` is what the very last pass failed of.
    """

    result: str
    at: float
    commit: str
    counts: dict[str, int]
    withheld: int
    left: int
    refusals: tuple[SavedRefusal, ...]
    hash: str
    trouble: Trouble | None


class LiveDrift(msgspec.Struct, frozen=True):
    """How live differs from the applied commit; ``known`` is False where this clone does not have that commit."""

    known: bool
    commit: str
    count: int
    keys: tuple[str, ...]


class DriftAnswer(msgspec.Struct, frozen=True):
    """Every key that is not what the applied commit says: ``before`` is live, ``after`` what git says."""

    known: bool
    commit: str
    count: int
    changes: tuple[SavedChange, ...]


class LiveOrders(msgspec.Struct, frozen=True):
    """The standing orders: who paused and why, which plan is approved by whom until when. "" or 0: none."""

    paused_by: str = ""
    paused_since: int = 0
    reason: str = ""
    approved: str = ""
    approved_by: str = ""
    approved_until: int = 0


class LiveSubscribers(msgspec.Struct, frozen=True):
    """How many subscribers are in each state, and those that are behind, failing or disabled."""

    count: int
    states: dict[str, int]
    troubled: tuple[Standings, ...]


class LiveSnapshots(msgspec.Struct, frozen=True):
    """The scheduled snapshots: when the next one is due, the newest one's time, file and size (by whomever taken).

    ``tried`` is when this node last tried, ``failures`` counts its tries that failed. ``late``: the one that is due has
    not been there for two hours. ``trouble`` is what the last try failed of, ``retry`` when it is tried again (Unix
    seconds), 0 where nothing failed.
    """

    schedule: str
    next: float
    last: float
    file: str
    size: int
    tried: float
    failures: int
    late: bool
    trouble: Trouble | None
    retry: float = 0.0


class LiveDrills(msgspec.Struct, frozen=True):
    """The scheduled drills: when the next one is due, when the last one passed, and of which snapshot, taken when.

    ``store`` says what that was restored into. ``tried``, ``failures``, ``late``, ``trouble`` and ``retry`` as of
    snapshots.
    """

    schedule: str
    next: float
    last: float
    file: str
    taken: float
    store: str
    tried: float
    failures: int
    late: bool
    trouble: Trouble | None
    retry: float = 0.0


class LiveStatus(msgspec.Struct, frozen=True):
    """How things stand. ``ahead``: for how many seconds git has been ahead of what is applied, 0 while it is not.

    ``published`` is the revision that readers see, ``applied`` what the store holds; ``epoch`` and ``index`` name the
    published state. ``uptime`` in seconds; ``holder`` names who leads when this node stands by. ``snapshots`` and
    ``drills`` are None where none are scheduled.
    """

    version: str
    uptime: float
    source: LiveSource
    store: str
    prefix: str
    role: Role
    holder: str
    ready: bool
    applied: ToldRevision | None
    published: ToldRevision | None
    epoch: str
    index: int
    keys: int
    ahead: float
    last_success: float
    last: LivePass
    drift: LiveDrift
    orders: LiveOrders
    subscribers: LiveSubscribers
    streams: int
    snapshots: LiveSnapshots | None = None
    drills: LiveDrills | None = None


SyncResult = Literal["applied", "unchanged", "refused", "paused", "standby", "invalid", "failed"]


class SyncAnswer(msgspec.Struct, frozen=True):
    """What a pass came to that began after it was asked for.

    ``reached``: what was waited for (a commit, else the branch's tip) is applied, or a newer one is. ``withheld``
    counts deletes that wait for an approval of ``hash``; ``problems`` say why the tip is ``invalid``, ``trouble`` why
    the pass ``failed`` or the tip cannot be read.
    """

    result: SyncResult
    reached: bool
    tip: str
    applied: str
    counts: dict[str, int]
    withheld: int
    refusals: tuple[SavedRefusal, ...]
    hash: str
    holder: str
    problems: tuple[Problem, ...]
    trouble: Trouble | None


def trouble_of(error: SyncdError | None) -> Trouble | None:
    """Describe an error."""
    return Trouble(error.message, error.where, error.hint) if error is not None else None


def problems_of(error: SyncdError | None) -> tuple[Problem, ...]:
    """List what is wrong with a tree."""
    return error.problems if isinstance(error, TreeError) else ()
