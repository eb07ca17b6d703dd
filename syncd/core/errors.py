"""The error tree. Every error says what happened, where, and what to do.

::

    SyncdError
    ├── SettingsError        bad flags, environment or syncd.toml      stalled  exit 64
    ├── TreeError            the YAML tree at a commit is invalid      stalled  exit 65
    ├── GitError             the repository cannot answer              stalled  exit 1
    │   └── GitBusy          it may answer later (lock, missing object) retry   exit 75
    ├── StoreError           the store cannot answer                   stalled  exit 1
    │   ├── Unreachable      nothing answers, or the answer was cut    retry    exit 75
    │   ├── NoLeader         the cluster has no leader                 retry    exit 75
    │   ├── RateLimited      429, or 503 "only by the leader"          retry    exit 75
    │   ├── UnknownOutcome   a write was sent, its answer was lost     retry    exit 75
    │   ├── Conflict         a compare-and-set or fence said no        retry    exit 75
    │   ├── NotFound         no such key or session                    ignore   exit 1
    │   ├── Denied           the token may not                         stalled  exit 1
    │   ├── TooLarge         the request is over the store's limit     stalled  exit 1
    │   └── NotWhole         a list that may be filtered or torn       stalled  exit 1
    ├── RecordError          what stands in the store cannot be read   stalled  exit 1
    ├── Refused              a guard: a person must decide             stalled  exit 3
    ├── LeaseHeld            somebody else has the right to write      retry    exit 3
    ├── StateError           the state directory cannot be used        stalled  exit 1
    └── SnapshotError        a snapshot cannot be taken, kept or read  stalled  exit 1
        ├── Damaged          its bytes are not what Consul wrote       stalled  exit 1
        └── Busy             another process is taking one             retry    exit 75

Loops branch on ``kind``; the exit code comes from the class.
"""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What a loop does with an error."""

    RETRY = "retry"  # try again with backoff
    STALLED = "stalled"  # needs a person; keep the last good state and say so
    IGNORE = "ignore"  # an answer, not a fault


class SyncdError(Exception):
    """Say what happened (``message``), where (``where``) and what to do (``hint``); neither holds a secret."""

    kind: ClassVar[Kind] = Kind.STALLED
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"


class SettingsError(SyncdError):
    """Bad flags, environment or ``syncd.toml``; holds every problem found, not the first."""

    exit_code = 64

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class GitError(SyncdError):
    """The repository cannot answer, and will not by itself."""


class GitBusy(GitError):
    """The repository may answer later: a lock file, an object that has not arrived yet."""

    kind = Kind.RETRY
    exit_code = 75


class StoreError(SyncdError):
    """The store cannot answer, and will not by itself."""


class _Passing(StoreError):
    kind = Kind.RETRY
    exit_code = 75


class Unreachable(_Passing):
    """Nothing answers at the address, or the answer was cut; nothing that writes was in flight."""


class NoLeader(_Passing):
    """The cluster has no leader at the moment. Never an empty answer."""


class RateLimited(_Passing):
    """The store asks for fewer requests."""


class UnknownOutcome(_Passing):
    """A write was sent and its answer was lost: it may have landed. Read back before anything else."""


class Conflict(_Passing):
    """A compare-and-set, an index check or a session check said no; nothing was written.

    ``failures`` are the store's own texts, one for each failing operation; they name keys, never values.
    """

    def __init__(self, message: str, *, failures: tuple[str, ...] = (), where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.failures = failures


class NotFound(StoreError):
    """No such key or session."""

    kind = Kind.IGNORE


class Denied(StoreError):
    """The token may not do this."""


class TooLarge(StoreError):
    """The request is over the store's limit."""


class NotWhole(StoreError):
    """A list that may be filtered by ACLs or torn: nothing may be concluded from what it lacks."""


class RecordError(SyncdError):
    """What stands under ``.syncd/`` in the store cannot be read by this version."""


class LeaseHeld(SyncdError):
    """Somebody else holds the right to write; ``holder`` names who."""

    kind = Kind.RETRY
    exit_code = 3

    def __init__(self, holder: str, *, hint: str = "") -> None:
        super().__init__(f"the lease is held by {holder}", hint=hint)
        self.holder = holder


class StateError(SyncdError):
    """The state directory cannot be used."""


class SnapshotError(SyncdError):
    """A snapshot cannot be taken, kept or read."""


class Damaged(SnapshotError):
    """A snapshot's bytes are not what Consul wrote: cut off, changed, or something else altogether."""


class Busy(SnapshotError):
    """Another process is at work in the same directory of snapshots at this moment."""

    kind = Kind.RETRY
    exit_code = 75
