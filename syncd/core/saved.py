"""A plan as JSON: what ``plan --output json`` prints, and what ``plan --save`` keeps for ``apply FILE``."""

from typing import Final, Literal

import msgspec

from syncd.core.change import Change
from syncd.core.digest import shown_hash
from syncd.core.documents import UNREADABLE
from syncd.core.errors import SyncdError
from syncd.core.keys import join
from syncd.core.plan import Plan
from syncd.core.record import Record
from syncd.core.text import some

FORMAT: Final = 1


class SavedValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value: as text, as base64 where it is not UTF-8, or as a hash where it is secret."""

    text: str | None = None
    base64: bytes | None = None
    hash: str | None = None


class SavedChange(msgspec.Struct, frozen=True):
    """One change; ``index`` is the ModifyIndex at which it holds, ``at`` is ``file:line:column`` in the repository."""

    operation: str
    key: str
    index: int
    before: SavedValue | None
    after: SavedValue | None
    at: str | None
    why: str | None = None


class SavedLeft(msgspec.Struct, frozen=True):
    """A key that differs and is left as it is."""

    key: str
    why: str


class SavedRefusal(msgspec.Struct, frozen=True):
    """A guard that refuses the plan."""

    guard: str
    message: str
    hint: str


class SavedPlan(msgspec.Struct, frozen=True):
    """A whole plan; ``record_index`` is the control record's ModifyIndex, 0 where there is none yet.

    ``applied_worktree`` tells that what is applied has edits that were not committed.
    """

    format: int
    source: str
    prefix: str
    applied: str | None
    applied_worktree: bool
    commit: str
    worktree: bool
    record_index: int
    hash: str
    counts: dict[str, int]
    changes: tuple[SavedChange, ...]
    withheld: tuple[SavedChange, ...]
    left: tuple[SavedLeft, ...]
    refusals: tuple[SavedRefusal, ...]
    base: Literal["git", "state", "marks", "none"]


class Around(msgspec.Struct, frozen=True):
    """What a plan itself does not tell: the tree's path in the repository, the control record, where base was found."""

    root: str
    record: Record | None
    index: int
    base: Literal["git", "state", "marks", "none"]


class PlanMoved(SyncdError):
    """The store or the tree is no longer what it was when the plan was saved."""

    exit_code = 3


def save(plan: Plan, around: Around) -> SavedPlan:
    """Describe a plan without any secret value."""
    held = around.record.applied if around.record else None
    return SavedPlan(
        format=FORMAT,
        source=plan.source,
        prefix=plan.prefix,
        applied=plan.applied,
        applied_worktree=held is not None and held.worktree,
        commit=plan.commit.id,
        worktree=plan.commit.worktree,
        record_index=around.index,
        hash=plan.hash,
        counts=plan.counts,
        changes=tuple(describe(change, around.root) for change in plan.changes),
        withheld=tuple(describe(change, around.root, why) for change, why in plan.withheld),
        left=tuple(SavedLeft(left.key, left.why) for left in plan.left),
        refusals=tuple(SavedRefusal(r.guard.value, r.message, r.hint) for r in plan.refusals),
        base=around.base,
    )


def describe(change: Change, root: str, why: str | None = None) -> SavedChange:
    """Describe one change, a secret by its hashes; ``root`` is the tree's path in the repository."""
    wanted = change.wanted
    return SavedChange(
        operation=change.operation.value,
        key=change.key,
        index=change.index,
        before=saved_value(change.before.value, secret=change.secret) if change.before else None,
        after=saved_value(wanted.value, secret=change.secret) if wanted else None,
        at=f"{join(root, wanted.path)}:{wanted.line}:{wanted.column}" if wanted else None,
        why=why,
    )


def encode(saved: SavedPlan) -> bytes:
    """Write a plan as JSON, indented for people."""
    return msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n"


def decode(text: bytes, where: str) -> SavedPlan:
    """Read a saved plan; raise SyncdError where it is none, or of an unknown format."""
    try:
        saved = msgspec.json.decode(text, type=SavedPlan)
    except UNREADABLE as error:
        raise SyncdError(
            f"this is not a saved plan: {error}", where=where, hint="make one: syncd plan --save FILE"
        ) from None
    if saved.format != FORMAT:
        raise SyncdError(
            f"the plan has format {saved.format}, this syncd knows {FORMAT}", where=where, hint="plan again"
        )
    return saved


def demand_same(saved: SavedPlan, now: SavedPlan) -> None:
    """Raise PlanMoved unless applying would do exactly what the saved plan says."""
    if saved == now:
        return
    before, after = set(saved.changes), set(now.changes)
    moved = sorted({change.key for change in before ^ after})
    what = f"these keys moved: {some(moved)}" if moved else "the control record or the guards moved"
    raise PlanMoved(
        f"the saved plan no longer holds: {what}", hint="look at the new one: syncd plan; nothing was changed"
    )


def saved_value(value: bytes, *, secret: bool) -> SavedValue:
    """Describe one value without showing a secret."""
    if secret:
        return SavedValue(hash=shown_hash(value))
    try:
        return SavedValue(text=value.decode())
    except UnicodeDecodeError:
        return SavedValue(base64=value)
