"""The problems of one file, as they are found."""

import re
from typing import Final, Literal

from syncd.core.mapping.nodes import Fault, Mark
from syncd.core.problems import Problem

MAX_FINDINGS: Final = 100
"""Errors, and as many warnings, that one file may show: enough to see what is wrong, little enough to read."""

_LONGEST_SNIPPET: Final = 200
_LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")


Severity = Literal["error", "warning"]


class Findings:
    """Collects one file's problems; ``hidden`` keeps source lines out, because they could show a secret."""

    def __init__(self, path: str, data: bytes, *, hidden: bool) -> None:
        self._path = path
        self._data = data
        self._hidden = hidden
        self._lines: list[str] | None = None
        self._found: dict[Severity, list[Problem]] = {"error": [], "warning": []}
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found, errors first, with a last word where some were left out."""
        return (*self._part("error"), *self._part("warning"))

    def _part(self, severity: Severity) -> list[Problem]:
        kept = self._found[severity]
        more = self._counts[severity] - len(kept)
        note = Problem(severity, "more", self._path, 0, 0, f"{more:,} more {severity}s in this file are not shown")
        return [*kept, note] if more else kept

    def error(self, fault: Fault) -> None:
        """Note what was refused."""
        self._note("error", fault)

    def warn(self, code: str, mark: Mark, message: str, hint: str = "") -> None:
        """Note what is allowed but perhaps not meant."""
        self._note("warning", Fault(code, mark, message, hint))

    def _note(self, severity: Severity, fault: Fault) -> None:
        self._counts[severity] += 1
        if self._counts[severity] <= MAX_FINDINGS:
            self._found[severity].append(
                Problem(
                    severity,
                    fault.code,
                    self._path,
                    fault.mark.line + 1,
                    fault.mark.column + 1,
                    fault.message,
                    hint=fault.hint,
                    snippet=self._snippet(fault.mark.line),
                )
            )

    def _snippet(self, line: int) -> str:
        if self._hidden or line < 0:
            return ""
        if self._lines is None:
            self._lines = _LINE_BREAK.split(self._data.decode(errors="replace"))
        text = self._lines[line] if line < len(self._lines) else ""
        return "" if len(text) > _LONGEST_SNIPPET else "".join(map(_printable, text))


def _printable(char: str) -> str:
    """Keep a terminal safe from what a file holds, without moving columns."""
    if char.isprintable():
        return char
    return " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"
