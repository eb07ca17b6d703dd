"""What commands print: tables for people, JSON for machines, colour where it is wanted."""

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any, Final, TextIO

import click
import msgspec

from syncd.core.text import printable
from syncd.log import coloured

_MOST_RICH_ROWS: Final = 2_000
"""Rich lays out a few thousand rows in a second; longer tables are for pipes and pagers anyway."""


def shown_value(value: bytes) -> str:
    """Write a value on one line; bytes that are not text by their size."""
    try:
        return printable(value.decode())
    except UnicodeDecodeError:
        return f"({len(value):,} bytes)"


def json_value(value: bytes) -> str | dict[str, str]:
    """Write a value for JSON: its text, or ``{"base64": …}`` where it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def to_json(value: object) -> bytes:
    """Encode with two spaces of indent and a newline at the end."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    except UnicodeEncodeError:  # file names that are not UTF-8 hold lone surrogates
        return json.dumps(msgspec.to_builtins(value), indent=2).encode() + b"\n"


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    click.echo(to_json(value), nl=False)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings: fitted to a terminal, else plain aligned text that ``awk`` can read."""
    safe = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and len(rows) <= _MOST_RICH_ROWS:
        _print_rich(headings, safe)
    else:
        click.echo("\n".join(plain_table(headings, safe)))


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns with two spaces between them; nothing is cut off."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    ]


def _print_rich(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to load, and only for terminals
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", style="cyan" if position == 0 else "")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(color_system="auto" if coloured(sys.stdout) else None, highlight=False).print(table)


def paint(text: str, stream: TextIO, **style: Any) -> str:  # noqa: ANN401  # click.style's own keywords
    """Style a text where the stream wants colour."""
    return click.style(text, **style) if coloured(stream) else text
