"""Completing names that only the settings, the tree or a folder know: keys, subscribers and snapshots."""

import os
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from syncd.cli.options import settings_of
from syncd.core import keys
from syncd.core.errors import SyncdError
from syncd.core.problems import TreeError

_MOST: Final = 500
"""A shell shows no more at once."""


def complete_key(context: click.Context, _parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Offer the tree's keys, relative as long as nobody begins with the prefix; nothing where it cannot be read."""
    from syncd.cli.reading import read  # noqa: PLC0415  # brings git along, which most commands with names never need
    from syncd.cli.running import run  # noqa: PLC0415  # as above

    try:
        settings = settings_of(context, os.environ, Path.cwd())
        found = run(read(settings, None)).tree.desired.keys
    except (SyncdError, TreeError, OSError):
        return []
    prefix = settings.store.prefix
    front = keys.own_prefix(prefix) if start and keys.own_prefix(prefix).startswith(start[: len(prefix) + 1]) else ""
    names = sorted(name for key in found if (name := front + key).startswith(start))
    return [CompletionItem(name) for name in names[:_MOST]]


def complete_subscriber(context: click.Context, _parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Offer the subscribers of the settings."""
    try:
        found = settings_of(context, os.environ, Path.cwd()).subscribers
    except (SyncdError, OSError):
        return []
    return [CompletionItem(each.name) for each in found if each.name.startswith(start)]


def complete_snapshot(context: click.Context, _parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Offer the snapshots in the directory of snapshots, the newest first; else let the shell offer files."""
    from syncd.snapshots.folder import Folder  # noqa: PLC0415  # no other name needs it

    try:
        kept = Folder(settings_of(context, os.environ, Path.cwd()).snapshots.directory).snapshots()
    except (SyncdError, OSError):
        kept = []
    found = [CompletionItem(each.name) for each in reversed(kept) if each.name.startswith(start)]
    return found or [CompletionItem(start, type="file")]
