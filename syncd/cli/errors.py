"""Errors in words: what happened, where, what to do; JSON with ``--output json``."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

import click
import msgspec

from syncd.cli.output import paint, to_json
from syncd.core.errors import SettingsError, SyncdError
from syncd.core.problems import Problem, TreeError
from syncd.core.text import count, printable

USAGE: Final = 64  # sysexits.h: EX_USAGE; click's own 2 means "there are changes" here
_WIDEST_SNIPPET: Final = 100


def report(error: click.ClickException | SyncdError, *, as_json: bool) -> int:
    """Tell an error on standard error and return the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    told = _from_click(error) if isinstance(error, click.ClickException) else error
    code = _exit_code(error)
    if as_json:
        click.echo(to_json({"error": _as_json(told, type(error).__name__, code)}), nl=False, err=True)
    else:
        click.echo("\n".join(render_error(told, sys.stderr)), err=True)
    return code


def render_error(error: SyncdError, stream: TextIO) -> Iterator[str]:
    """Write an error as lines for people."""
    if isinstance(error, TreeError):
        yield from render_problems(error.problems, stream)
        at = f" at {error.commit[:7]}" if error.commit else ""
        yield _head("error", f"the tree{at} is invalid: {count(len(error.problems), 'problem')}", stream)
    elif isinstance(error, SettingsError):
        yield _head("error", f"{count(len(error.problems), 'setting')} cannot be used", stream)
        yield from (f"  {printable(problem)}" for problem in error.problems)
        yield from _advice(error.hint, stream)
    else:
        yield _head("error", error.message, stream)
        yield from _place(error.where)
        yield from _advice(error.hint, stream)


def render_problems(problems: Iterable[Problem], stream: TextIO) -> Iterator[str]:
    """Write findings in a tree as lines for people, each with its source line and a caret."""
    for problem in problems:
        yield _head(problem.severity, problem.message, stream)
        yield from _place(problem.where)
        yield from _snippet(problem)
        yield from _advice(problem.hint, stream)


def _head(severity: str, message: str, stream: TextIO) -> str:
    label = paint(f"{severity}:", stream, fg="yellow" if severity == "warning" else "red", bold=True)
    first, *more = message.splitlines() or [""]
    return "\n".join([f"{label} {printable(first)}", *(f"  {printable(line)}" for line in more)])


def _place(where: str) -> Iterator[str]:
    if where:
        yield f"  at {printable(where)}"


def _advice(hint: str, stream: TextIO) -> Iterator[str]:
    if hint:
        yield f"  {paint('hint:', stream, fg='cyan')} {printable(hint)}"


def _snippet(problem: Problem) -> Iterator[str]:
    if not problem.snippet or not problem.line:
        return
    # A caret far to the right needs only the part of the line around it.
    start = max(0, problem.column - _WIDEST_SNIPPET * 3 // 4)
    text = "".join(char if char.isprintable() else " " for char in problem.snippet.rstrip("\r\n"))
    number = str(problem.line)
    padding = sum(map(_width, text[start : problem.column - 1]))
    yield f"  {number} | {text[start : start + _WIDEST_SNIPPET]}"
    yield f"  {' ' * len(number)} | {' ' * padding}^"


def _width(char: str) -> int:
    """Count the terminal's columns of a character."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _from_click(error: click.ClickException) -> SyncdError:
    """Say a mistake on the command line in our own words."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "syncd"
    possible = getattr(error, "possibilities", None)
    hint = f"did you mean {' or '.join(possible)}?" if possible else f"{path} --help"
    message = error.message if possible else error.format_message().replace("\n\t", " ")  # choices, one a line
    return SyncdError(message[:1].lower() + message[1:].rstrip("."), hint=hint)


def _exit_code(error: click.ClickException | SyncdError) -> int:
    return USAGE if isinstance(error, click.UsageError) else error.exit_code


def _as_json(error: SyncdError, name: str, code: int) -> dict[str, object]:
    shown: dict[str, object] = {
        "type": name,
        "message": error.message,
        "where": error.where,
        "hint": error.hint,
        "kind": str(error.kind),
        "exit_code": code,
    }
    if isinstance(error, SettingsError):
        shown["problems"] = list(error.problems)
    if isinstance(error, TreeError):
        shown |= {"commit": error.commit, "problems": [msgspec.to_builtins(problem) for problem in error.problems]}
    return shown
