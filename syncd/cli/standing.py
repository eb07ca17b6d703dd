"""How things stand, as ``syncd status`` tells it: the words are in ``status_text``."""

import msgspec

from syncd.core.desired import Commit
from syncd.core.problems import Problem
from syncd.core.record import Applied, Applying
from syncd.core.saved import SavedRefusal
from syncd.daemon.answers import LiveStatus


class Tip(msgspec.Struct, frozen=True):
    """The desired state; ``problems`` say why it is invalid, ``edits`` are files that were not committed.

    Files are named from the repository's root.
    """

    repository: str
    path: str
    branch: str
    commit: Commit
    keys: int
    problems: tuple[Problem, ...]
    edits: tuple[str, ...]


class Drift(msgspec.Struct, frozen=True):
    """How live differs from the applied commit; ``known`` is False where only marks tell what was applied."""

    known: bool
    count: int = 0
    keys: tuple[str, ...] = ()


class Next(msgspec.Struct, frozen=True):
    """What an apply of the tip would do; ``hash`` is what an approval must name, "" where none is needed."""

    counts: dict[str, int]
    withheld: int
    left: int
    refusals: tuple[SavedRefusal, ...]
    hash: str


class Ordered(msgspec.Struct, frozen=True, omit_defaults=True):
    """The standing orders."""

    paused_by: str | None = None
    reason: str = ""
    approved: str | None = None
    approved_by: str = ""


class Live(msgspec.Struct, frozen=True):
    """What the store holds; ``address`` is where it answers, ``place`` as in ``Parts``.

    ``relation`` is the tip's to what is applied, ``ahead`` counts the commits by which a tip is newer; ``holder`` is
    None where nobody leads.
    """

    store: str
    address: str
    place: str
    prefix: str
    applied: Applied | None
    applying: Applying | None
    relation: str | None
    ahead: int | None
    holder: str | None
    orders: Ordered
    marked: int
    foreign: int
    base: str
    drift: Drift
    next: Next | None


class Standing(msgspec.Struct, frozen=True):
    """Both halves; ``live`` is None where the store does not answer, and ``error`` says why.

    ``daemon`` is what the daemon of this machine says of itself, None where none answers and ``no_daemon`` says why.
    """

    tip: Tip
    live: Live | None
    error: str | None = None
    daemon: LiveStatus | None = None
    no_daemon: str | None = None
