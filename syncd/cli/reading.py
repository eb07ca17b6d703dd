"""Reading the tree for the commands that need no store.

Opens the repository itself: wiring would load the store's client, which takes longer than the whole command.
"""

import click

from syncd.core.problems import TreeError
from syncd.git.source import Revision, Source
from syncd.settings import Settings


async def read(settings: Settings, at: str | None) -> Revision:
    """Open the repository and read the revision that was asked for."""
    source = await Source.open(
        settings.source.repository,
        path=settings.source.path,
        prefix=settings.store.prefix,
        branch=settings.source.branch,
    )
    try:
        return await read_from(source, settings, at)
    finally:
        await source.close()


async def read_from(source: Source, settings: Settings, at: str | None) -> Revision:
    """Read the commit that was asked for, else the work tree or the tip, as the settings say.

    Problems name files as they stand in the repository, where an editor finds them.
    """
    if at and settings.origin("source.worktree").startswith("flag"):
        raise click.UsageError("--at and --worktree exclude each other: a commit, or the files as they are now")
    try:
        if at:
            return await source.read(await source.resolve(at))
        return await (source.read_worktree() if settings.source.worktree else source.read())
    except TreeError as error:
        raise error.below(settings.source.path) from error


def repository_path(root: str, path: str) -> str:
    """Join the tree's root and a path inside it."""
    return f"{root}/{path}" if root else path
