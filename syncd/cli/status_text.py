"""How things stand, at one glance."""

from collections.abc import Iterator
from typing import Final, TextIO

from syncd.cli.ago import ago
from syncd.cli.daemon_text import Fact, daemon_facts
from syncd.cli.output import paint
from syncd.cli.standing import Live, Next, Ordered, Standing, Tip
from syncd.core import advice
from syncd.core.desired import Commit, short
from syncd.core.guards import HISTORY
from syncd.core.record import Applied
from syncd.core.text import count, printable, some

_RELATIONS: Final = {
    "same": "the tip is applied",
    "descendant": "the tip is newer",
    "behind": "the tip is OLDER: this clone is behind, or the branch was set back",
    "rewritten": "the tip does not follow it: history was rewritten",
    "unknown": "this clone cannot tell whether the tip follows it",
}
_BASES: Final = {
    "git": "",
    "none": "",
    "state": "known from the state directory",
    "marks": "only marks tell which keys are syncd's",
}


def status_lines(standing: Standing, now: float, stream: TextIO) -> Iterator[str]:
    """Write each fact on a line of its own, its name in front."""
    for name, text, colour in _facts(standing, now):
        label = paint(f"{name:<9}", stream, fg="cyan")
        yield f"{label}{paint(printable(text), stream, fg=colour) if colour else printable(text)}"


def _facts(standing: Standing, now: float) -> Iterator[Fact]:
    yield from _tip(standing.tip, now)
    yield from _edits(standing)
    yield from daemon_facts(standing, now)
    if standing.live is None:
        yield "store", standing.error or "does not answer", "red"
        return
    live = standing.live
    foreign = f", {live.foreign:,} foreign" if live.foreign else ""
    yield "store", f"{live.store}; {live.prefix or '(root)'}: {live.marked:,} marked{foreign}", None
    yield from _applied(live, standing.tip.commit, now)
    yield _lease(live)
    yield from _orders(live.orders, live.next)
    yield _drift(live)
    if live.next is not None:
        yield from _next(live.next, live.place)


def _tip(tip: Tip, now: float) -> Iterator[Fact]:
    yield "source", f"{tip.repository}, branch {tip.branch}, {tip.path or 'the whole tree'}", None
    if not tip.problems:
        valid = "valid" if tip.keys else "valid, and without a single key"
        yield "tip", f"{_commit(tip.commit, now)}: {count(tip.keys, 'key')}, {valid}", None
    else:
        yield "tip", f"{tip.commit.short} is invalid and changes nothing; the first problems of syncd validate:", "red"
        yield from (("", f"{problem.where}: {problem.message}", "red") for problem in tip.problems)


def _edits(standing: Standing) -> Iterator[Fact]:
    edits, applied = standing.tip.edits, standing.live.applied if standing.live else None
    if edits and applied is not None and applied.worktree:
        note = "not committed; the store holds edits, by apply --worktree, until a commit is applied"
        yield "edits", f"{some(edits, 10)}: {note}", "yellow"
    elif edits:
        yield "edits", f"{some(edits, 10)}: not committed, so not applied; commit, or use --worktree", "yellow"


def _applied(live: Live, tip: Commit, now: float) -> Iterator[Fact]:
    if live.applied is None:
        yield "applied", "nothing yet", "yellow"
    else:
        relation = f"; {_relation(live, live.applied, tip)}" if live.relation else ""
        calm = live.relation in (None, "same", "descendant")
        yield "applied", f"{_record(live.applied, now)}{relation}", None if calm else "red"
    if live.applying is not None:
        begun = f"{live.applying.commit[:7]}, begun {ago(live.applying.started, now)}"
        yield "applying", f"{begun}; whoever leads finishes it first", "yellow"


def _relation(live: Live, applied: Applied, tip: Commit) -> str:
    if live.ahead is not None:
        return f"the tip is {count(live.ahead, 'commit')} newer"
    if live.relation == "same" and (applied.worktree or tip.worktree):
        return f"the tip's commit, with{'' if applied.worktree else 'out'} edits"
    return _RELATIONS.get(live.relation or "", live.relation or "")


def _orders(orders: Ordered, following: Next | None) -> Iterator[Fact]:
    if orders.paused_by is not None:
        reason = f": {orders.reason}" if orders.reason else ""
        yield "orders", f"paused by {orders.paused_by}{reason}; nothing is written", "yellow"
    # An approval stands for an hour, also after its plan was applied: only the plan that waits for it is worth a line.
    if following is not None and orders.approved == following.hash:
        yield "orders", f"plan {orders.approved} is approved by {orders.approved_by}", None


def _lease(live: Live) -> Fact:
    if live.holder:
        return "lease", f"held by {live.holder}", None
    strays = live.next is not None and any(refusal.guard in HISTORY for refusal in live.next.refusals)
    # A node whose commit does not follow the store's lets go of the lease: another one's clone may be newer.
    return "lease", "nobody leads" + (" (what is refused needs no leader)" if strays else ""), "yellow"


def _drift(live: Live) -> Fact:
    drift, base = live.drift, live.base
    edited = live.applied is not None and live.applied.worktree
    lost = "the applied edits were never committed" if edited else "git has lost the applied commit"
    note = f" ({_BASES[base]}: {lost})" if _BASES.get(base) else ""
    if not drift.known:
        return "drift", "nothing is applied" if base == "none" else f"not known{note}", None
    if drift.count == 0:
        return "drift", f"none{note}", None
    keys = some(drift.keys, 10, total=drift.count)
    return "drift", f"{count(drift.count, 'key')}: {keys}{note}; {advice.drift(live.place)} shows more", "yellow"


def _next(following: Next, place: str) -> Iterator[Fact]:
    sums = [f"{operation} {number:,}" for operation, number in following.counts.items()]
    sums += [f"{following.withheld:,} waiting for an approval"] if following.withheld else []
    sums += [f"{following.left:,} left as they are"] if following.left else []
    if sums or not following.refusals:
        yield "next", ", ".join(sums) or "nothing to do", None
    yield from (("refused", f"{each.message} [{each.guard}]", "red") for each in following.refusals)
    if following.hash:
        yield "", f"{advice.plan(place)} shows it; to let it through: {advice.approve(following.hash, place)}", None


def _commit(commit: Commit, now: float) -> str:
    return described(commit.short, commit.message, commit.author, commit.time, now)


def _record(applied: Applied, now: float) -> str:
    name = short(applied.commit, worktree=applied.worktree)
    return described(name, applied.message, applied.author, applied.time, now)


def described(name: str, message: str, author: str, time: int, now: float) -> str:
    """Write a commit on one line."""
    title = message.partition("\n")[0]
    return f"{name} {title!r} by {author}, {ago(time, now)}"
