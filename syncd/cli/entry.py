"""Where every command begins, and where every error ends as words and an exit code."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NoReturn

import click

from syncd import __version__
from syncd.cli.lazy import LazyCommand, LazyGroup
from syncd.core.errors import SyncdError

_INTERRUPTED: Final = 128 + 2  # as shells count: SIGINT

COMMANDS: Final = (
    LazyCommand("run", "syncd.cli.run:run", "Follow the branch and keep the store equal to it."),
    LazyCommand("plan", "syncd.cli.plan:plan", "Show what an apply would change, like a diff."),
    LazyCommand("apply", "syncd.cli.apply:apply", "Make the store equal to a commit, once."),
    LazyCommand("status", "syncd.cli.status:status", "Say how things stand: repository, store and daemon."),
    LazyCommand("drift", "syncd.cli.drift:drift", "List what was changed in the store behind git's back."),
    LazyCommand("watch", "syncd.cli.watch:watch", "Print each change as it comes."),
    LazyCommand("subscribers", "syncd.cli.subscribers:subscribers", "Say who is told of changes, and how that goes."),
    LazyCommand("pause", "syncd.cli.pause:pause", "Have nothing written until it is lifted."),
    LazyCommand("resume", "syncd.cli.pause:resume", "Lift a pause."),
    LazyCommand("explain", "syncd.cli.explain:explain", "Say where a key comes from and how it stands."),
    LazyCommand("import", "syncd.cli.import_:import_", "Write a tree for what stands in the store."),
    LazyCommand("snapshot", "syncd.cli.snapshot:snapshot", "Save the whole store, verified; look into what was saved."),
    LazyCommand("store", "syncd.cli.store:store", "Run the embedded store, which speaks Consul's HTTP API."),
    LazyCommand("validate", "syncd.cli.validate:validate", "Check that the tree at a commit is valid."),
    LazyCommand("render", "syncd.cli.render:render", "Print the keys and values that a commit yields."),
    LazyCommand("config", "syncd.cli.config:config", "Show settings and where each came from."),
    LazyCommand("completion", "syncd.cli.completion:completion", "Print the completion script for a shell."),
)


@click.group(
    cls=LazyGroup,
    commands=[*COMMANDS],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 error, 2 changes or drift (--detailed-exitcode), 3 refused, a person must decide, "
    "64 usage, 65 invalid tree, 75 try again.",
)
@click.version_option(__version__, prog_name="syncd")
def syncd() -> None:
    """Keep a Consul KV store equal to a git-tracked YAML tree."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; a command's return value is its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = syncd.main(words, prog_name="syncd", standalone_mode=False)
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except (click.ClickException, SyncdError) as error:
        from syncd.cli.errors import report  # noqa: PLC0415  # most commands end well

        code = report(error, as_json=_wants_json(words))
    _end_output()
    sys.exit(code)


def _end_output() -> None:
    """Write what is left; whose reader is gone, as a terminal that was closed, misses nothing, and that is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # else Python would try again at its very end, and exit with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())


def _wants_json(words: Sequence[str]) -> bool:
    """Look for ``--output json`` in the bare words: a usage error comes before any option is understood."""
    return "--output=json" in words or ("--output", "json") in pairwise(words)
