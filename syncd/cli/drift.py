"""``syncd drift``."""

import os
import sys
from typing import Final

import click
import msgspec

from syncd.cli.drift_text import DriftedKey, Found, drift_lines, patch_lines, place_of
from syncd.cli.options import SOURCE, STORE, output_option, with_settings
from syncd.cli.output import print_json
from syncd.cli.reading import read_from
from syncd.cli.running import run
from syncd.core.digest import hash_text
from syncd.core.errors import SyncdError
from syncd.core.keeping import Drifted, Patch, find_drift, make_patch, patchable
from syncd.core.problems import TreeError
from syncd.core.record import Record
from syncd.core.saved import SavedValue, saved_value
from syncd.daemon.survey import Held
from syncd.git.source import Revision
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

DRIFTED: Final = 2


class _Told(msgspec.Struct, frozen=True):
    found: Found
    patch: Patch | None
    place: str


@click.command
@with_settings(*SOURCE, *STORE, "state_directory")
@click.option("--patch", is_flag=True, help="Print a patch that brings the live values into the files.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where there is drift.")
@output_option("table", "json")
def drift(settings: Settings, patch: bool, detailed_exitcode: bool, output: str) -> int:
    """List what was changed in the store behind git's back.

    To keep what stands there: syncd drift --patch | git apply, at the repository's root with the branch's newest commit
    checked out; then commit. Secret values are neither shown nor patched.
    """
    if patch and output == "json":
        raise click.UsageError("--patch and --output json exclude each other: a patch is text for git apply")
    told = run(_drift(settings, patch=patch))
    if told.patch is not None:
        click.echo(told.patch.text, nl=False)
        for line in patch_lines(told.patch, settings.source.path, sys.stderr):
            click.echo(line, err=True)
    elif output == "json":
        print_json(told.found)
    else:
        for line in drift_lines(told.found, told.place, sys.stdout):
            click.echo(line)
    return DRIFTED if detailed_exitcode and told.found.drift else 0


async def _drift(settings: Settings, *, patch: bool) -> _Told:
    async with open_parts(settings, os.environ) as parts:
        tip = await _tip(parts, needed=patch)
        held = await parts.survey.hold(tip.tree.desired.keys if tip else None)
        found = await _find(parts, held, tip)
        made = await _patch(parts, found, tip) if patch and tip else None
        return _Told(_found(settings, held.record, found), made, parts.place)


async def _tip(parts: Parts, *, needed: bool) -> Revision | None:
    """Read the newest commit; None where it is invalid, which a patch cannot be made for."""
    try:
        return await read_from(parts.source, parts.settings, None)
    except TreeError:
        if needed:
            raise
        return None


async def _find(parts: Parts, held: Held, tip: Revision | None) -> tuple[Drifted, ...]:
    record = held.record
    if record is None or record.applied is None:
        return ()
    base = await parts.survey.base(record)
    if base.keys is None:
        raise SyncdError(
            f"nobody knows any more what commit {record.applied.commit[:7]}, which is applied, said",
            where=parts.settings.store.prefix,
            hint="git fetch may bring it back; syncd plan shows how the store differs from the newest commit",
        )
    applying = await parts.source.read(record.applying.commit) if record.applying else None
    return find_drift(
        base.keys,
        held.live,
        tip.tree.desired.keys if tip else None,
        applying.tree.desired.keys if applying else None,
    )


async def _patch(parts: Parts, found: tuple[Drifted, ...], tip: Revision) -> Patch:
    contents = await parts.source.contents(tip.commit.id, patchable(found))
    return make_patch(found, contents, tip.tree, parts.source.path)


def _found(settings: Settings, record: Record | None, found: tuple[Drifted, ...]) -> Found:
    applied, applying = (record.applied, record.applying) if record else (None, None)
    return Found(
        prefix=settings.store.prefix,
        applied=applied.commit if applied else None,
        applied_worktree=applied is not None and applied.worktree,
        applying=applying.commit if applying else None,
        drift=tuple(_shown(each, settings.source.path) for each in found),
    )


def _shown(each: Drifted, root: str) -> DriftedKey:
    hashed = each.secret or each.said is None
    return DriftedKey(
        key=each.key,
        git=SavedValue(hash=hash_text(each.hash)) if hashed else saved_value(each.said or b"", secret=False),
        live=saved_value(each.live, secret=each.secret) if each.live is not None else None,
        at=place_of(each, root),
        tip=each.tip,
    )
