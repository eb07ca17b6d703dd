"""The control record at ``.syncd/revision``: what the store holds, and what is being applied to it."""

from typing import Final

import msgspec

from syncd.core.desired import Commit
from syncd.core.documents import UNREADABLE, format_of
from syncd.core.errors import RecordError

FORMAT: Final = 1
MAX_MANIFEST_BYTES: Final = 32 * 1024
MAX_NAMED: Final = MAX_MANIFEST_BYTES // 10
"""Of more keys no manifest fits: an entry takes over 10 bytes."""
MAX_MESSAGE_CHARACTERS: Final = 500
MAX_ORPHANS: Final = 200
"""Orphans that are remembered, 512 bytes each at the most; what is more becomes foreign."""
MAX_NAME_CHARACTERS: Final = 200


class Applied(msgspec.Struct, frozen=True, omit_defaults=True):
    """The revision that the store holds whole.

    ``keys`` counts the tree's keys, ``digest`` is that of ``core.digest``; ``manifest`` names each key that this
    revision changed with its operation, None where that would take over 32 KB.
    """

    commit: str
    ref: str
    author: str
    message: str
    time: int
    keys: int
    digest: str
    previous: str | None = None
    manifest: dict[str, str] | None = None
    worktree: bool = False


class Applying(msgspec.Struct, frozen=True, omit_defaults=True):
    """A revision that is being written.

    ``digest`` is that of its tree: with uncommitted edits the commit does not fix it. ``lifted`` names the guards that
    ``approval``, the hash of a plan, lifted, ``granted`` holds what that plan would delete and take over (see
    ``Plan.granted``): a resumed apply goes on with those and no others.
    """

    commit: str
    started: int
    approval: str | None = None
    lifted: tuple[str, ...] = ()
    worktree: bool = False
    digest: str = ""
    granted: bytes = b""


class Record(msgspec.Struct, frozen=True):
    """The whole record.

    ``lineage`` is the random id of this source's history in this store, ``epoch`` changes when the store has gone
    back in time. ``rebuilt``: the record was lost once, so marked keys that git never named are deleted only by
    approval. ``orphans`` are keys that git dropped after somebody had edited them: still syncd's to delete, by an
    approval, though the applied commit no longer names them. ``stamp`` is random and new in every write: Consul leaves
    the index of an equal value where it is, and by its index older batches die.
    """

    format: int
    source: str
    lineage: str
    mark: int
    epoch: str
    applied: Applied | None = None
    applying: Applying | None = None
    rebuilt: bool = False
    stamp: str = ""
    orphans: tuple[str, ...] = ()


def encode(record: Record) -> bytes:
    """Write the record as JSON."""
    return msgspec.json.encode(record)


def decode(text: bytes) -> Record:
    """Read a record; raise RecordError where it is damaged or of an unknown format."""
    try:
        found = format_of(text)
        if found != FORMAT:
            raise RecordError(
                f"the control record has format {found}, this syncd knows {FORMAT}",
                hint="upgrade syncd on this node; nothing was changed",
            )
        return msgspec.json.decode(text, type=Record)
    except UNREADABLE as error:
        raise RecordError(
            f"the control record is damaged: {error}",
            hint="somebody overwrote it; delete the key .syncd/revision under the prefix to have it rebuilt",
        ) from None


def applied_of(
    commit: Commit, *, keys: int, digest: str, previous: str | None, manifest: dict[str, str] | None
) -> Applied:
    """Describe a revision as applied, within the record's size limits; ``manifest`` is None where it is not known."""
    small = manifest is not None and len(msgspec.json.encode(manifest)) <= MAX_MANIFEST_BYTES
    return Applied(
        commit=commit.id,
        ref=commit.ref[:MAX_NAME_CHARACTERS],
        author=commit.author[:MAX_NAME_CHARACTERS],
        message=commit.message[:MAX_MESSAGE_CHARACTERS],
        time=commit.time,
        keys=keys,
        digest=digest,
        previous=previous,
        manifest=manifest if small else None,
        worktree=commit.worktree,
    )


def commits_to_follow(record: Record | None, target: str) -> tuple[str, ...]:
    """Return what ``target`` must follow: the commit being applied (unless it is the target) and the applied one.

    Both, because what an unfinished apply began does not make an older commit than the applied one any newer.
    """
    if record is None:
        return ()
    begun = record.applying.commit if record.applying is not None else target
    applied = record.applied.commit if record.applied is not None else None
    return tuple(commit for commit in (begun if begun != target else None, applied) if commit is not None)
