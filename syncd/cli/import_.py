"""``syncd import``."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import Final

import click
import msgspec

from syncd.cli.files import add_files
from syncd.cli.options import STORE, output_option, with_settings
from syncd.cli.output import print_json
from syncd.cli.running import run
from syncd.core import advice, keys
from syncd.core.errors import GitError, SyncdError
from syncd.core.mapping.writing import write_tree
from syncd.core.text import count
from syncd.settings import Settings

_MOST_LISTED: Final = 10
_PLACE: Final = ("source.repository", "source.path", "store.prefix", *STORE)


class Exported(msgspec.Struct, frozen=True):
    """One entry of ``consul kv export``; Consul writes null for an empty value."""

    key: str
    value: bytes | None = None


class Outside(SyncdError):
    """Keys that the prefix does not cover."""


@click.command("import")
@click.argument("file", required=False, metavar="[FILE]")
@with_settings("source.repository", "source.path", "store.prefix", *STORE)
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="FOLDER", help="Write here instead of the tree's root."
)
@output_option("table", "json")
def import_(settings: Settings, file: str | None, into: Path | None, output: str) -> None:
    """Write a tree for what stands in the store, or in FILE.

    FILE is what "consul kv export" printed, "-" reads it from standard input. One YAML file for each first segment;
    no file is overwritten, and an error writes nothing at all. Values stand in the files as they are: look for
    secrets before you commit.
    """
    pairs = _exported(_read(file), settings.store.prefix, file) if file else run(_live(settings))
    files = write_tree(pairs)
    root = run(_root(settings))
    folder = into or root
    add_files(folder, files)
    if output == "json":
        print_json({"folder": str(folder), "files": sorted(files), "keys": len(pairs)})
        return
    for name in sorted(files):
        click.echo(f"wrote {_shown(folder / name)}")
    said = f"{count(len(pairs), 'key')} in {count(len(files), 'file')}."
    if folder.resolve() != root.resolve():
        click.echo(said)
        return
    click.echo(f"{said} Next:")
    place = quote(_shown(folder))
    click.echo(f"  git add {place} && git commit -m 'Import from Consul' -- {place}")
    flags = advice.reach("", settings.given(*_PLACE))
    click.echo(f"  syncd plan{flags}     # nothing but keys to mark")
    click.echo(f"  syncd apply{flags}")


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SyncdError(f"the export cannot be read: {error.strerror}", where=file) from None


def _exported(text: bytes, prefix: str, where: str) -> list[tuple[str, bytes]]:
    try:
        entries = msgspec.json.decode(text, type=list[Exported])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SyncdError(
            f"this is not what consul kv export prints: {error}", where=where, hint="consul kv export PREFIX/ > FILE"
        ) from None
    below = keys.own_prefix(prefix)
    outside = [entry.key for entry in entries if not entry.key.startswith(below)]
    if outside:
        raise _outside(outside, prefix, where)
    return [
        (entry.key.removeprefix(below), entry.value or b"")
        for entry in entries
        if not keys.is_reserved(prefix, entry.key)
    ]


def _outside(names: list[str], prefix: str, where: str) -> Outside:
    shown = "\n".join(f"  {name}" for name in names[:_MOST_LISTED])
    more = f"\n  and {len(names) - _MOST_LISTED:,} more" if len(names) > _MOST_LISTED else ""
    hint = "name the prefix that covers them all: --prefix"
    if prefix and any(name.startswith(prefix) for name in names):
        hint = f"export with a slash at the end: consul kv export {prefix}/; or {hint}"
    return Outside(
        f"{count(len(names), 'key')} not below the prefix {prefix!r}:\n{shown}{more}",
        where=where,
        hint=hint,
    )


async def _live(settings: Settings) -> list[tuple[str, bytes]]:
    from syncd.wiring.store import open_store  # noqa: PLC0415  # takes long, and a file needs no store

    async with open_store(settings, os.environ) as store:
        if not await store.may_write():
            raise SyncdError(
                "the token may not write every key under the prefix, so keys may be missing from the list",
                where=settings.store.prefix,
                hint="use a token that may, or import what consul kv export prints",
            )
        entries = (await store.listing()).entries
    return [(key, entry.value) for key, entry in entries.items()]


async def _root(settings: Settings) -> Path:
    """Find the tree's root in the repository; without a repository, below the folder that was named."""
    from syncd.git.repository import discover  # noqa: PLC0415  # as above

    try:
        repository, _ = await discover(settings.source.repository)
    except GitError:
        return settings.source.repository / settings.source.path
    return repository.root / settings.source.path


def _shown(path: Path) -> str:
    """Name a path from here, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
