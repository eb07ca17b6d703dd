"""``syncd apply``."""

import os
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.applied import Applied, nothing_done
from syncd.cli.applying import carry_out
from syncd.cli.options import SOURCE, STORE, at_option, output_option, with_settings
from syncd.cli.orders import Paused, orders
from syncd.cli.output import print_json
from syncd.cli.plan import Drawn, draw_up, show, show_approved
from syncd.cli.reading import read_from
from syncd.cli.running import run
from syncd.cli.stopping import stoppable
from syncd.core import advice, saved
from syncd.core.desired import short
from syncd.core.errors import SyncdError
from syncd.core.saved import PlanMoved, SavedPlan
from syncd.core.text import count
from syncd.git.source import Revision
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

_DECLINED: Final = 1
_INTERRUPTED: Final = 130
_DONE: Final = {
    "create": "created",
    "update": "updated",
    "mark": "marked",
    "takeover": "taken over",
    "release": "released",
    "delete": "deleted",
}


@click.command
@click.argument("file", required=False, type=click.Path(path_type=Path))
@with_settings(*SOURCE, "source.worktree", *STORE, "state_directory")
@at_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--approve", metavar="HASH", help="Let exactly the plan of this hash through its guards.")
@output_option("table", "json")
def apply(settings: Settings, file: Path | None, at: str | None, yes: bool, approve: str | None, output: str) -> int:
    """Make the store equal to a commit, once.

    FILE is a plan saved by "syncd plan --save": it is applied only if it still holds, to the letter. While a daemon
    leads, --approve is handed to that daemon; without it, to a daemon of this machine that follows the same branch.
    """
    if file is not None and at:
        raise click.UsageError("a saved plan names its commit: --at has no place beside it")
    kept = _read(file) if file is not None else None
    if not yes and not approve and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: say --yes")
    drawn = run(_draw_up(settings, at, kept))
    if output == "table":
        show(drawn)
    _demand(drawn, approve)
    if approve and not drawn.plan.needs_approval:
        _tell(nothing_done(drawn.plan), drawn, output)
        return 0
    if approve and output == "table":
        show_approved(drawn)
    if drawn.plan.changes and not (yes or approve) and not click.confirm("Apply this plan?", err=True):
        click.echo("Nothing was written.", err=True)
        return _DECLINED
    done = run(stoppable(carry_out(settings, drawn, kept, approve)))
    if done is None:
        click.echo("interrupted: what was begun is finished by the next apply, or by the daemon", err=True)
        return _INTERRUPTED
    _tell(done, drawn, output)
    return 0


def _read(file: Path) -> SavedPlan:
    try:
        return saved.decode(file.read_bytes(), str(file))
    except OSError as error:
        raise SyncdError(f"the plan cannot be read: {error.strerror}", where=str(file)) from None


async def _draw_up(settings: Settings, at: str | None, kept: SavedPlan | None) -> Drawn:
    async with open_parts(settings, os.environ) as parts:
        pause = (await orders(parts.store)).pause
        if pause is not None:
            raise Paused(pause, parts.place)
        if kept is None:
            return await draw_up(parts, await read_from(parts.source, settings, at))
        _demand_same_place(kept, settings)
        drawn = await draw_up(parts, await _same_revision(parts, kept))
        saved.demand_same(kept, drawn.saved)
        return drawn


async def _same_revision(parts: Parts, kept: SavedPlan) -> Revision:
    return await (parts.source.read_worktree() if kept.worktree else parts.source.read(kept.commit))


def _demand_same_place(kept: SavedPlan, settings: Settings) -> None:
    if (kept.source, kept.prefix) != (settings.source.name, settings.store.prefix):
        raise PlanMoved(
            f"the plan is for the prefix {kept.prefix!r} and the source {kept.source!r}",
            hint="apply it with the settings that it was made with",
        )


def _demand(drawn: Drawn, approve: str | None) -> None:
    """Stop before anything is asked or written, where it is clear how it would end."""
    plan, look = drawn.plan, f"look at it: {advice.plan(drawn.place)}"
    if approve is None:
        plan.demand()
    elif not plan.needs_approval and not plan.refusals:
        if plan.changes or not _stands(drawn):
            raise PlanMoved("nothing waits for that approval: the plan is now one that needs none", hint=look)
    elif approve != plan.hash:
        raise PlanMoved(f"the plan is now another one: its hash is {plan.hash}, not {approve}", hint=look)
    else:
        plan.approve(approve).demand()


def _stands(drawn: Drawn) -> bool:
    """Tell whether the store holds the very commit."""
    applied = drawn.held.record.applied if drawn.held.record else None
    commit = drawn.plan.commit
    return applied is not None and (applied.commit, applied.worktree) == (commit.id, commit.worktree)


def _tell(done: Applied, drawn: Drawn, output: str) -> None:
    if output == "json":
        print_json({**msgspec.to_builtins(done), "plan": drawn.saved})
        return
    counts = ", ".join(f"{number:,} {_DONE[operation]}" for operation, number in done.counts.items())
    by = f" by {done.by}" if done.by else ""
    if done.result == "unchanged":
        click.echo("Nothing was written.")
    else:
        commit = short(done.commit, worktree=done.worktree)
        click.echo(f"Applied {commit}{by}: {counts or 'no key changed'}.")
    if done.waiting:
        waits = "waits" if done.waiting == 1 else "wait"
        how = advice.approve(done.hash, drawn.place)
        click.echo(f"{count(done.waiting, 'delete')} {waits} for an approval: {how}")
