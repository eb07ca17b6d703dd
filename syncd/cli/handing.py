"""Handing an apply to the daemon that leads: by its socket on this machine, an approval by the store from anywhere."""

import click
from msgspec.structs import replace

from syncd.cli.applied import Applied, nothing_done
from syncd.cli.daemon_client import Daemon, DaemonError, NoDaemon, connect
from syncd.cli.orders import NotTaken, leave_approval, wait_until_applied
from syncd.cli.plan import Drawn
from syncd.core import advice
from syncd.core.errors import LeaseHeld, SyncdError
from syncd.daemon.answers import SyncAnswer
from syncd.wiring.parts import Parts


class NotApplied(SyncdError):
    """The daemon that leads did not apply what it was handed: a person must decide."""

    exit_code = 3


async def have_approved(parts: Parts, drawn: Drawn, approve: str, holder: str) -> Applied:
    """Leave an approval for whoever leads, and wait until the plan is applied."""
    await leave_approval(parts.store, approve)
    click.echo(f"{holder} leads and has the approval now; waiting until it is applied", err=True)
    await wait_until_applied(parts.store, drawn.plan.commit.id, drawn.held.index, holder)
    commit = drawn.plan.commit
    return Applied("applied", commit.id, drawn.plan.approve(approve).counts, holder, commit.worktree)


async def have_applied(parts: Parts, drawn: Drawn, holder: str, *, exactly: bool) -> Applied:
    """Have the daemon of this machine apply a commit of its branch, and wait.

    LeaseHeld where it is not the one that leads, follows something else, or the plan must hold to the letter
    (``exactly``): what it would apply is its own plan for that commit.
    """
    async with connect(parts.settings) as daemon:
        if exactly or not await _leads(daemon, parts, drawn):
            raise _held(drawn, holder)
        click.echo(f"{holder} leads and applies it; waiting until it is applied", err=True)
        answer = await daemon.sync(drawn.plan.commit.id)
    if not answer.reached:
        raise not_applied(answer, holder)
    plan = drawn.plan
    done = nothing_done(plan)
    if plan.changes:
        done = replace(done, result="applied", counts=plan.counts)
    return replace(done, by=holder, waiting=answer.withheld, hash=answer.hash)


async def _leads(daemon: Daemon, parts: Parts, drawn: Drawn) -> bool:
    """Tell whether the daemon leads and follows what was drawn up."""
    try:
        live = await daemon.status()
    except (NoDaemon, DaemonError):
        return False
    source, theirs = parts.source, live.source
    same = (str(source.repository), source.path, source.branch) == (theirs.repository, theirs.path, theirs.branch)
    worktree = drawn.plan.commit.worktree or (theirs.tip is not None and theirs.tip.worktree)
    return live.role == "leading" and same and live.prefix == parts.settings.store.prefix and not worktree


def _held(drawn: Drawn, holder: str) -> LeaseHeld:
    approve = advice.approve("HASH", drawn.place)
    return LeaseHeld(holder, hint=f"it applies its branch by itself; what is refused goes through by: {approve}")


def not_applied(answer: SyncAnswer, holder: str) -> SyncdError:
    """Make the error that says why a commit was not applied."""
    if answer.refusals:
        said = "; ".join(refusal.message for refusal in answer.refusals)
        return NotApplied(f"{holder} did not apply it: {said}", hint="; ".join(each.hint for each in answer.refusals))
    if answer.result == "standby":
        return LeaseHeld(
            answer.holder or holder, hint="the lease has just changed hands; it applies its branch by itself"
        )
    if answer.trouble is not None:
        trouble = answer.trouble
        return NotTaken(f"{holder} could not apply it: {trouble.message}", where=trouble.where, hint=trouble.hint)
    return NotTaken(
        f"{holder} has not applied it: its last pass ended as {answer.result!r}",
        hint="look at its log, and at syncd status: it may follow another commit",
    )
