"""Drift for people, like a good diff: what git says, then what stands in the store."""

from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from syncd.cli.output import paint
from syncd.cli.plan_text import place, value_lines
from syncd.cli.reading import repository_path
from syncd.core import advice
from syncd.core.desired import short
from syncd.core.keeping import Drifted, Patch
from syncd.core.saved import SavedValue
from syncd.core.text import count, printable

_TIP: Final = {
    "live": "the newest commit says so, too",
    "other": "the newest commit itself changes it",
}


class DriftedKey(msgspec.Struct, frozen=True):
    """A key that drifted, without any secret: what git says, what stands in the store, None where nothing does.

    ``at`` is ``file:line:column`` in the repository. ``tip`` as in ``core.keeping``.
    """

    key: str
    git: SavedValue
    live: SavedValue | None
    at: str | None
    tip: str


class Found(msgspec.Struct, frozen=True):
    """All drift; ``applied`` is the commit that it is told from, None where nothing is applied yet.

    ``applying`` is the commit that is being applied; what it has written already is no drift.
    """

    prefix: str
    applied: str | None
    applied_worktree: bool
    applying: str | None
    drift: tuple[DriftedKey, ...]


def drift_lines(found: Found, place: str, stream: TextIO) -> Iterator[str]:
    """Write each key that drifted, and how to keep what stands there."""
    if found.applied is None:
        yield "Nothing is applied yet, so nothing can have drifted."
        return
    applied = short(found.applied, worktree=found.applied_worktree)
    for each in found.drift:
        yield from _key(each, stream)
    if found.applying is not None:
        yield f"Commit {found.applying[:7]} is being applied; what it has written is no drift."
    if not found.drift:
        yield f"No drift: {found.prefix or 'the store'} holds what commit {applied} says."
        return
    deleted = sum(each.live is None for each in found.drift)
    sums = ((len(found.drift) - deleted, "changed"), (deleted, "deleted"))
    listed = ", ".join(f"{count(number, 'key')} {what}" for number, what in sums if number)
    yield f"Drift: {listed} in {found.prefix or 'the store'} since commit {applied} was applied."
    if any(each.tip != "live" for each in found.drift):
        yield f"To keep it: {advice.keep_drift(place)}, then commit."


def _key(each: DriftedKey, stream: TextIO) -> Iterator[str]:
    sign, word, colour = ("-", "deleted", "red") if each.live is None else ("~", "changed", "yellow")
    head = paint(f"{sign} {word}  {printable(each.key)}", stream, fg=colour)
    note = _TIP.get(each.tip)
    yield from value_lines(head, each.git, each.live, (place(each.at, stream), f"[{note}]" if note else ""), stream)


def patch_lines(patch: Patch, root: str, stream: TextIO) -> Iterator[str]:
    """Write what is not in a patch, and why."""
    if not patch.text and not patch.left:
        yield "no drift: there is nothing to patch"
    for left in patch.left:
        at = place_of(left.drifted, root)
        where = f" at {printable(at)}" if at else ""
        note = "" if left.drifted.tip == "live" else f"; change it by hand{where}"
        label = paint("not in the patch:", stream, fg="yellow", bold=True)
        yield f"{label} {printable(left.drifted.key)}: {left.why}{note}"


def place_of(drifted: Drifted, root: str) -> str | None:
    """Name the place that says a key, from the repository's root."""
    said = drifted.place
    return f"{repository_path(root, said.path)}:{said.line}:{said.column}" if said else None
