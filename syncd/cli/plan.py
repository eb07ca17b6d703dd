"""``syncd plan``."""

import os
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from syncd.cli.files import write_private
from syncd.cli.options import SOURCE, STORE, at_option, output_option, with_settings
from syncd.cli.plan_text import approval_lines, approved_lines, plan_lines, refusal_lines
from syncd.cli.reading import read_from
from syncd.cli.running import run
from syncd.core import saved
from syncd.core.plan import Plan
from syncd.core.saved import Around, SavedPlan
from syncd.daemon.survey import Held
from syncd.git.source import Revision
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

CHANGES: Final = 2
REFUSED: Final = 3
MOST_ON_TERMINAL: Final = 200


class Drawn(msgspec.Struct, frozen=True):
    """A plan with all that it was drawn from; ``saved`` is the same without any secret; ``named`` as in ``Parts``."""

    plan: Plan
    held: Held
    revision: Revision
    around: Around
    saved: SavedPlan
    place: str


@click.command
@with_settings(*SOURCE, "source.worktree", *STORE, "state_directory")
@at_option
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the plan for: syncd apply FILE.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where keys would change, 3 where that is refused.")
@output_option("table", "json")
def plan(settings: Settings, at: str | None, save: Path | None, detailed_exitcode: bool, output: str) -> int:
    """Show what an apply would change, like a diff; changes nothing.

    + create, ~ update, - delete, ! take over somebody else's value, * mark as syncd's own, > release.
    """
    drawn = run(_plan(settings, at))
    if save is not None:
        write_private(save, saved.encode(drawn.saved))
    if output == "json":
        click.echo(saved.encode(drawn.saved), nl=False)
    else:
        show(drawn)
        show_refusals(drawn)
        for line in approval_lines(drawn.plan, drawn.place):
            click.echo(line)
        if save is not None:
            click.echo(f"Saved. To do exactly this, or nothing: syncd apply {save}")
    if not detailed_exitcode:
        return 0
    return REFUSED if drawn.plan.refusals else CHANGES if drawn.plan.changes else 0


async def _plan(settings: Settings, at: str | None) -> Drawn:
    async with open_parts(settings, os.environ) as parts:
        return await draw_up(parts, await read_from(parts.source, settings, at))


async def draw_up(parts: Parts, revision: Revision) -> Drawn:
    """Read the store in full and compare."""
    held = await parts.survey.hold(revision.tree.desired.keys)
    lineage = parts.memory.recall("lineage") if parts.memory else None
    made = await parts.survey.plan(held, revision, lineage=lineage)
    # An apply that was begun is finished with the approval that began it.
    made = made.resume(held.record.applying if held.record else None)
    base = await parts.survey.base(held.record)
    around = Around(parts.settings.source.path, held.record, held.index, base.origin)
    return Drawn(made, held, revision, around, saved.save(made, around), parts.place)


def show(drawn: Drawn) -> None:
    """Print for people what a plan would do; on a terminal, no more than a person reads."""
    most = MOST_ON_TERMINAL if sys.stdout.isatty() else None
    for line in plan_lines(drawn.saved, drawn.revision.commit, sys.stdout, most):
        click.echo(line)
    applying = drawn.held.record.applying if drawn.held.record else None
    if applying is not None:
        click.echo(f"Commit {applying.commit[:7]} was begun and is not whole yet; an apply finishes it first.")


def show_refusals(drawn: Drawn) -> None:
    """Print why a plan refuses itself."""
    for line in refusal_lines(drawn.plan.refusals, sys.stdout):
        click.echo(line)


def show_approved(drawn: Drawn) -> None:
    """Print what an approval of a plan lets through."""
    for line in approved_lines(drawn.plan, sys.stdout):
        click.echo(line)
