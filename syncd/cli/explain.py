"""``syncd explain``."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import Final, TextIO

import click
import msgspec

from syncd.cli.names import complete_key
from syncd.cli.options import SOURCE, STORE, at_option, output_option, with_settings
from syncd.cli.output import json_value, paint, print_json, shown_value
from syncd.cli.plan import Drawn, draw_up
from syncd.cli.reading import read_from, repository_path
from syncd.cli.running import run
from syncd.cli.status_text import described
from syncd.core import keys
from syncd.core.desired import Commit, DesiredKey
from syncd.core.digest import shown_hash
from syncd.core.errors import SyncdError
from syncd.core.explain import State, is_secret, state_of
from syncd.core.mark import mark_of
from syncd.core.problems import TreeError
from syncd.core.text import printable
from syncd.git.source import Revision
from syncd.settings import Settings
from syncd.wiring.parts import Parts, open_parts

_SENTENCES: Final = {
    State.IN_SYNC: "the store holds what git says",
    State.NEW: "git says it and the store does not have it yet; the next apply creates it",
    State.CHANGED: "git says something newer than the store holds; the next apply writes it",
    State.GONE: "git no longer says it; the next apply deletes it",
    State.MISSING: "somebody deleted it from the store; the next apply creates it again",
    State.DRIFT: "somebody changed it in the store; the next apply writes what git says",
    State.REPORTED: "somebody changed it in the store; the tree's rules only want that reported",
    State.UNMARKED: "the value is right, but it does not carry this source's mark; the next apply sets it",
    State.FOREIGN: "git does not say it and syncd did not write it; it is left alone",
    State.IN_THE_WAY: "somebody else wrote it where git wants another value; the next apply takes it over",
    State.ORPHAN: "git no longer says it, and somebody changed it since; deleted only with an approval",
    State.WITHHELD: "git does not say it, and nothing proves that it ever did; deleted only with an approval",
    State.LOCKED: "a session or consul lock holds it; syncd does not touch it without an approval",
    State.OTHERS: "it carries the mark of another source; syncd does not touch it without an approval",
    State.KEPT: "git no longer says it, but the tree's rules say prune: false; it stays",
    State.IGNORED: "its file is ignored now; it stays",
}
_OWN: Final = {
    f"{keys.RESERVED}/revision": "the control record",
    f"{keys.RESERVED}/lease": "the lock of whoever leads",
    f"{keys.RESERVED}/control": "people's orders",
    f"{keys.RESERVED}/snapshot": "who takes the scheduled snapshot",
}
_NEAREST: Final = 5
_MOST_COMPARED: Final = 5_000


class Explained(msgspec.Struct, frozen=True):
    """All that is known of one key; values are hashes where they are secret."""

    key: str
    state: State
    sentence: str
    file: str | None
    line: int
    column: int
    said: object
    commit: Commit | None
    held: object
    flags: int | None
    index: int | None
    session: str


@click.command
@click.argument("key", shell_complete=complete_key)
@with_settings(*SOURCE, "source.worktree", *STORE, "state_directory")
@at_option
@output_option("table", "json")
def explain(settings: Settings, key: str, at: str | None, output: str) -> None:
    """Say where a key comes from and how it stands.

    KEY is a whole key, or one relative to the prefix.
    """
    found = run(_explain(settings, key, at))
    if output == "json":
        print_json(found)
    else:
        for line in _lines(found, time.time(), sys.stdout):
            click.echo(line)


async def _explain(settings: Settings, name: str, at: str | None) -> Explained:
    async with open_parts(settings, os.environ) as parts:
        drawn = await draw_up(parts, await _read(parts, at))
        known = drawn.revision.tree.desired.keys.keys() | drawn.held.live.keys()
        key = relative(name, settings.store.prefix, known)
        want, have = drawn.revision.tree.desired.keys.get(key), drawn.held.live.get(key)
        base = (await parts.survey.base(drawn.held.record)).keys
        based = base.get(key) if base is not None else None
        state = state_of(key, drawn.plan, have, based, mark_of(settings.source.name))
        secret = is_secret(key, have, want, based, state, drawn.revision.tree.rules)
        return Explained(
            key=keys.join(settings.store.prefix, key),
            state=state,
            sentence=_SENTENCES[state],
            file=repository_path(settings.source.path, want.path) if want else None,
            line=want.line if want else 0,
            column=want.column if want else 0,
            said=_shown(want.value, secret) if want else None,
            commit=await _last_change(parts, want, drawn) if want else None,
            held=_shown(have.value, secret) if have else None,
            flags=have.flags if have else None,
            index=have.index if have else None,
            session=have.session if have else "",
        )


async def _read(parts: Parts, at: str | None) -> Revision:
    """Read the commit that was asked for; where that is an invalid tip, the applied one, and say so."""
    try:
        return await read_from(parts.source, parts.settings, at)
    except TreeError as error:
        if at or parts.settings.source.worktree:
            raise
        record = (await parts.survey.hold()).record
        applied = record.applied if record else None
        found = await parts.survey.applied_revision(applied) if applied is not None else None
        if found is None:
            raise
        note = f"note: commit {error.commit[:7]} is invalid and changes nothing (syncd validate shows why)"
        click.echo(f"{note}; what follows is of {found.commit.short}, which is applied", err=True)
        return found


def relative(name: str, prefix: str, known: AbstractSet[str]) -> str:
    """Find the key that is meant: a relative one, else a whole one."""
    below = keys.own_prefix(prefix)
    key = name.removeprefix(below)
    for candidate in (name, key):
        if candidate in known:
            return candidate
    if own := _OWN.get(key):
        raise SyncdError(f"{key!r} is syncd's own: {own}", where=prefix, hint="syncd status tells what it says")
    if prefix and key == name and name.partition("/")[0] == prefix.partition("/")[0]:
        raise SyncdError(
            f"{name!r} is outside the prefix {prefix!r}", hint="name the prefix that it is below: --prefix"
        )
    near = _nearest(key, known)
    raise SyncdError(
        f"there is no key {name!r}, neither in git nor in the store",
        where=prefix,
        hint=f"did you mean {' or '.join(near)}?" if near else "syncd render lists every key of the tree",
    )


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    segments = set(name.split("/"))
    related = sorted(key for key in known if segments & set(key.split("/"))) or sorted(known)
    return get_close_matches(name, related[:_MOST_COMPARED], _NEAREST, 0.5)


def _shown(value: bytes, secret: bool) -> object:
    return {"hash": shown_hash(value)} if secret else json_value(value)


async def _last_change(parts: Parts, want: DesiredKey, drawn: Drawn) -> Commit | None:
    return await parts.source.blame(want.path, want.line, drawn.revision.commit.id)


def _lines(found: Explained, now: float, stream: TextIO) -> Iterator[str]:
    yield paint(printable(found.key), stream, bold=True)
    facts = [("is", f"{found.state}: {found.sentence}")]
    if found.file is not None:
        facts += [("file", f"{found.file}:{found.line}:{found.column}"), ("git", _text(found.said))]
    if found.commit is not None:
        commit = found.commit
        facts.append(("commit", described(commit.short, commit.message, commit.author, commit.time, now)))
    if found.index is not None:
        session = f", held by session {found.session}" if found.session else ""
        facts.append(("store", f"{_text(found.held)}  (index {found.index}, flags {found.flags}{session})"))
    else:
        facts.append(("store", "(no such key)"))
    yield from (f"  {paint(f'{name:<8}', stream, fg='cyan')}{printable(text)}" for name, text in facts)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("hash", "(bytes that are not text)"))
    return shown_value(str(value).encode()) or '""'
