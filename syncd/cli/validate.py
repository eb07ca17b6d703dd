"""``syncd validate``."""

import sys

import click
import msgspec

from syncd.cli.errors import render_problems
from syncd.cli.options import SOURCE, at_option, output_option, with_settings
from syncd.cli.output import print_json
from syncd.cli.reading import read
from syncd.cli.running import run
from syncd.core.problems import Problem, TreeError
from syncd.core.text import count
from syncd.git.source import Revision
from syncd.settings import Settings


@click.command
@with_settings(*SOURCE, "source.worktree")
@at_option
@output_option("table", "json")
def validate(settings: Settings, at: str | None, output: str) -> int:
    """Check that the tree at a commit is valid.

    Checks the tip of the branch, as every command reads it; --worktree checks the files as they are now. Exits with
    65 where the tree is invalid.
    """
    try:
        revision = run(read(settings, at))
    except TreeError as error:
        if output != "json":
            raise
        print_json(_result(error.problems, commit=error.commit))
        return error.exit_code
    warnings = tuple(warning.below(settings.source.path) for warning in revision.tree.warnings)
    keys, files = len(revision.tree.desired.keys), len(revision.tree.files)
    if output == "json":
        print_json(_result(warnings, commit=revision.commit.id, keys=keys, files=files))
    else:
        for line in render_problems(warnings, sys.stderr):
            click.echo(line, err=True)
        click.echo(f"{count(keys, 'key')} in {count(files, 'file')} {_place(revision)}: valid")
    return 0


def _place(revision: Revision) -> str:
    return "of the work tree" if revision.commit.worktree else f"at {revision.commit.short}"


def _result(problems: tuple[Problem, ...], **facts: object) -> dict[str, object]:
    valid = all(problem.severity == "warning" for problem in problems)
    return {"valid": valid, **facts, "problems": [msgspec.to_builtins(problem) for problem in problems]}
