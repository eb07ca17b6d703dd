"""``syncd status``."""

import asyncio
import os
import sys
import time
from typing import Final

import click
import msgspec

from syncd.cli.daemon_client import DaemonError, NoDaemon, connect
from syncd.cli.options import SOURCE, STORE, output_option, with_settings
from syncd.cli.orders import orders
from syncd.cli.output import print_json
from syncd.cli.plan import Drawn, draw_up
from syncd.cli.reading import read_from, repository_path
from syncd.cli.running import run
from syncd.cli.standing import Drift, Live, Next, Ordered, Standing, Tip
from syncd.cli.status_text import status_lines
from syncd.core.control import Control
from syncd.core.desired import Commit
from syncd.core.drift import drifted
from syncd.core.errors import GitError, RecordError, StoreError, Unreachable
from syncd.core.history import Relation
from syncd.core.mark import mark_of
from syncd.core.problems import Problem, TreeError
from syncd.daemon.answers import LiveStatus
from syncd.daemon.lease import held_by_other
from syncd.daemon.survey import Held
from syncd.git.source import Revision, Source
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

_MOST_PROBLEMS: Final = 5
_MOST_DRIFT: Final = 10


@click.command
@with_settings(*SOURCE, "source.worktree", *STORE, "state_directory")
@output_option("table", "json")
def status(settings: Settings, output: str) -> int:
    """Say how things stand: repository, store and daemon.

    The daemon of this machine says more of itself where it runs; it need not run.

    Exits with 0 where it could tell, whatever it told: also where the tip is invalid or a person must decide. Exits
    with 75 where the store does not answer.
    """
    standing, code = run(_both(settings))
    if output == "json":
        print_json(standing)
    else:
        for line in status_lines(standing, time.time(), sys.stdout):
            click.echo(line)
    return code


async def _both(settings: Settings) -> tuple[Standing, int]:
    """Ask repository and store, and beside them the daemon, if there is one."""
    (standing, code, address), (daemon, why) = await asyncio.gather(_status(settings), _daemon(settings))
    if standing.live is None and daemon is not None and address not in daemon.store:
        theirs = f"; the daemon's is {daemon.store}: name it with --address, or SYNCD_STORE_ADDRESS"
        standing = msgspec.structs.replace(standing, error=f"{standing.error}{theirs}")
    return msgspec.structs.replace(standing, daemon=daemon, no_daemon=why), code


async def _daemon(settings: Settings) -> tuple[LiveStatus | None, str | None]:
    try:
        async with connect(settings) as daemon:
            return await daemon.status(), None
    except (NoDaemon, DaemonError) as error:
        return None, error.message


async def _status(settings: Settings) -> tuple[Standing, int, str]:
    """Return it with the exit code and the store's address."""
    async with open_parts(settings, os.environ) as parts:
        revision, tip = await _tip(parts)
        address = _bare(parts.address)
        try:
            return Standing(tip, await _live(parts, revision)), 0, address
        except Unreachable as error:
            reason = error.message.removeprefix("nothing answers: ")
            return Standing(tip, None, f"{address} does not answer ({reason})"), error.exit_code, address
        except (StoreError, RecordError) as error:
            return Standing(tip, None, str(error)), error.exit_code, address


def _bare(address: str) -> str:
    return address.removeprefix("http://")


async def _tip(parts: Parts) -> tuple[Revision | None, Tip]:
    """Read the tip; where it cannot be used that is part of the answer, unless there is no commit at all."""
    source = parts.source
    place = (str(source.repository), source.path, source.branch)
    edits = () if parts.settings.source.worktree else await _edits(source)
    try:
        revision = await read_from(source, parts.settings, None)
    except TreeError as error:
        return None, Tip(*place, Commit(error.commit), 0, error.problems[:_MOST_PROBLEMS], edits)
    except GitError as error:
        commit = Commit(await source.tip())
        problem = Problem("error", "unreadable", source.path or ".", 0, 0, error.message, error.hint)
        return None, Tip(*place, commit, 0, (problem,), edits)
    return revision, Tip(*place, revision.commit, len(revision.tree.desired.keys), (), edits)


async def _edits(source: Source) -> tuple[str, ...]:
    """List what is not committed; nothing where the tree's folder is gone, of which the tip's own error tells."""
    try:
        return tuple(repository_path(source.path, path) for path in await source.uncommitted())
    except GitError:
        return ()


async def _live(parts: Parts, revision: Revision | None) -> Live:
    drawn = await draw_up(parts, revision) if revision else None
    held = drawn.held if drawn else await parts.survey.hold()
    record = held.record
    base = await parts.survey.base(record)
    keys = drifted(base.keys, held.live) if base.keys is not None else ()
    relation, ahead = await _relation(parts, held, revision)
    mark = mark_of(parts.settings.source.name)
    marked = sum(entry.flags == mark for entry in held.live.values())
    return Live(
        store=await parts.store.describe(),
        address=parts.address,
        place=parts.place,
        prefix=parts.settings.store.prefix,
        applied=record.applied if record else None,
        applying=record.applying if record else None,
        relation=relation,
        ahead=ahead,
        holder=await held_by_other(parts.store),
        orders=_ordered(await orders(parts.store)),
        marked=marked,
        foreign=drawn.plan.foreign if drawn else len(held.live) - marked,
        base=base.origin,
        drift=Drift(base.keys is not None, len(keys), keys[:_MOST_DRIFT]),
        next=_next(drawn) if drawn else None,
    )


async def _relation(parts: Parts, held: Held, revision: Revision | None) -> tuple[str | None, int | None]:
    """Tell how the tip stands to the applied commit, and for a newer one, by how many commits."""
    if revision is None or held.record is None or held.record.applied is None:
        return None, None
    applied, tip = held.record.applied.commit, revision.commit.id
    relation = await parts.source.relation(applied, tip)
    newer = relation is Relation.DESCENDANT
    return str(relation), await parts.source.distance(applied, tip) if newer else None


def _ordered(control: Control) -> Ordered:
    pause, approved = control.pause, control.approves(time.time())
    return Ordered(
        paused_by=pause.author if pause else None,
        reason=pause.reason if pause else "",
        approved=approved,
        approved_by=control.approval.author if control.approval and approved else "",
    )


def _next(drawn: Drawn) -> Next:
    plan = drawn.plan
    return Next(
        counts=plan.counts,
        withheld=len(plan.withheld),
        left=len(plan.left),
        refusals=drawn.saved.refusals,
        hash=plan.hash if plan.needs_approval else "",
    )
