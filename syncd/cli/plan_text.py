"""A plan for people, like a good diff. Made from the saved form, which holds no secret."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from typing import Final, TextIO

from syncd.cli.output import paint
from syncd.core import advice
from syncd.core.desired import Commit, short
from syncd.core.digest import shown_hash
from syncd.core.guards import NEVER_LIFTED, Refusal
from syncd.core.plan import Plan
from syncd.core.saved import SavedChange, SavedLeft, SavedPlan, SavedValue
from syncd.core.text import count, printable

_SIGNS: Final = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "takeover": ("!", "magenta"),
    "mark": ("*", "cyan"),
    "release": (">", "cyan"),
}
_SUMS: Final = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "takeover": "to take over",
    "mark": "to mark",
    "release": "to release",
}
_LEFT: Final = {
    "drift": "drift in the store; the tree only wants it reported",
    "prune": "gone from the tree; stays because of prune: false",
    "ignored": "gone from the tree because it is ignored now; stays",
    "foreign": "gone from the tree; belongs to somebody else now",
    "conflict": "belongs to another source, a session or consul lock",
}
_WITHHELD: Final = {
    "orphan": "somebody changed it since; deleted only with an approval",
    "unproved": "nothing proves that git ever named it; deleted only with an approval",
}
_BASES: Final = {
    "state": "what it said is known from the state directory",
    "marks": "only marks tell which keys are syncd's",
}
_MOST_CHARACTERS: Final = 120
_MOST_LINES: Final = 60
_ONE_LINE: Final = 60


def plan_lines(plan: SavedPlan, commit: Commit, stream: TextIO, most: int | None = None) -> Iterator[str]:
    """Write what a plan would do; of a kind of lines no more than ``most``."""
    yield _heading(plan, commit, stream)
    if plan.base in _BASES:
        yield paint(f"note: {_lost(plan)}; {_BASES[plan.base]}", stream, fg="yellow")
    for change in plan.changes[:most]:
        yield from change_lines(change, stream)
    yield from _more(plan.changes, most)
    for change in plan.withheld[:most]:
        yield from change_lines(change, stream, _WITHHELD.get(str(change.why), str(change.why)))
    yield from _more(plan.withheld, most)
    released = {change.key for change in plan.changes}
    left = [each for each in plan.left if each.key not in released]
    yield from _left(left[:most], stream)
    yield from _more(left, most)
    yield _summary(plan)


def refusal_lines(refusals: Iterable[Refusal], stream: TextIO) -> Iterator[str]:
    """Write why a plan refuses itself, and what to do."""
    for refusal in refusals:
        yield f"{paint('refused:', stream, fg='red', bold=True)} {printable(refusal.message)} [{refusal.guard}]"
        yield f"  {paint('hint:', stream, fg='cyan')} {printable(refusal.hint)}"


def approved_lines(plan: Plan, stream: TextIO) -> Iterator[str]:
    """Write what an approval of a plan lets through."""
    label = paint("approved:", stream, fg="green", bold=True)
    yield from (f"{label} {printable(refusal.message)} [{refusal.guard}]" for refusal in plan.refusals)
    if plan.withheld:
        reasons = ", ".join(sorted({why for _, why in plan.withheld}))
        yield f"{label} {count(len(plan.withheld), 'delete')} [{reasons}]"


def approval_lines(plan: Plan, place: str) -> Iterator[str]:
    """Write how to let a plan through that waits for a person."""
    if plan.needs_approval and not any(refusal.guard in NEVER_LIFTED for refusal in plan.refusals):
        yield f"To let exactly this plan through: {advice.approve(plan.hash, place)}"


def _more(every: Sequence[object], most: int | None) -> Iterator[str]:
    if most is not None and len(every) > most:
        yield f"… and {len(every) - most:,} more; --output json, or a pipe, shows all"


def _lost(plan: SavedPlan) -> str:
    if plan.applied_worktree:
        return "the applied edits were never committed"
    return "git no longer has the applied commit"


def _heading(plan: SavedPlan, commit: Commit, stream: TextIO) -> str:
    title = printable(commit.message.partition("\n")[0])
    held = short(plan.applied, worktree=plan.applied_worktree) if plan.applied else "nothing of syncd's yet"
    text = f"{commit.short} {title!r} by {printable(commit.author)}; {plan.prefix or '(root)'} holds {held}"
    return paint(text, stream, bold=True)


def change_lines(change: SavedChange, stream: TextIO, why: str = "") -> Iterator[str]:
    """Write one change: on a line of its own, or as a difference where its values are longer."""
    sign, colour = _SIGNS[change.operation]
    if why:
        sign, colour = "?", "yellow"
    head = paint(f"{sign} {change.operation:<8} {printable(change.key)}", stream, fg=colour)
    notes = (place(change.at, stream), f"[{why}]" if why else "")
    if change.operation == "mark":
        yield "  ".join(part for part in (head, "value is right, takes the mark", *notes) if part)
    else:
        yield from value_lines(head, change.before, change.after, notes, stream)


def value_lines(
    head: str, before: SavedValue | None, after: SavedValue | None, notes: Iterable[str], stream: TextIO
) -> Iterator[str]:
    """Write two values: beside the head where they fit there, else like a diff below it."""
    old, new = _shown(before), _shown(after)
    fits = "\n" not in old + new and max(len(old), len(new)) <= _ONE_LINE
    values = [_quoted(text) for text, value in ((old, before), (new, after)) if value is not None]
    yield "  ".join(part for part in (head, " → ".join(values) if fits else "", *notes) if part)
    if not fits:
        yield from (f"    {line}" for line in _difference(old, new, stream))


def place(at: str | None, stream: TextIO) -> str:
    """Write where a key stands in git."""
    return paint(f"({printable(at)})", stream, dim=True) if at else ""


def _shown(value: SavedValue | None) -> str:
    if value is None:
        return ""
    if value.base64 is not None:
        return f"({len(value.base64):,} bytes, {shown_hash(value.base64)})"
    return value.hash if value.hash is not None else value.text or ""


def _quoted(text: str) -> str:
    """Show where a text ends when eyes could miss it."""
    plain = text.isprintable() and text == text.strip() and text
    return text if plain else repr(text)


def _difference(before: str, after: str, stream: TextIO) -> Iterator[str]:
    lines = list(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    if not lines:
        lines = [f"- {before!r}", f"+ {after!r}"]  # only line ends differ
    for line in lines[:_MOST_LINES]:
        colour = {"-": "red", "+": "green", "@": "cyan"}.get(line[0])
        yield paint(printable(_cut(line)), stream, fg=colour)
    if len(lines) > _MOST_LINES:
        yield f"… and {len(lines) - _MOST_LINES:,} more lines"


def _cut(line: str) -> str:
    if len(line) <= _MOST_CHARACTERS:
        return line
    return f"{line[:_MOST_CHARACTERS]}… ({len(line) - 1:,} characters)"


def _left(left: Iterable[SavedLeft], stream: TextIO) -> Iterator[str]:
    for each in left:
        head = paint(f"= left     {printable(each.key)}", stream, dim=True)
        yield f"{head}  [{_LEFT.get(each.why, each.why)}]"


def _summary(plan: SavedPlan) -> str:
    sums = [f"{number:,} {_SUMS[operation]}" for operation, number in plan.counts.items()]
    if plan.withheld:
        sums.append(f"{len(plan.withheld):,} waiting for an approval")
    if plan.left:
        sums.append(f"{len(plan.left):,} left")
    if sums:
        return f"Plan: {', '.join(sums)}."
    wanted = short(plan.commit, worktree=plan.worktree)
    if (plan.applied, plan.applied_worktree) == (plan.commit, plan.worktree):
        return f"No changes. The store holds {wanted}."
    return f"No changes to keys; an apply only notes that the store holds {wanted}."
