"""Text that people see on a terminal."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches


def printable(text: str) -> str:
    """Escape whatever could steer a terminal or break a line: commit messages and values come from anybody."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some(names: Sequence[str], most: int = 5, *, total: int | None = None) -> str:
    """Name the first few; ``total`` is how many there are where not all are given."""
    more = (total or len(names)) - len(names[:most])
    return ", ".join(names[:most]) + (f" and {more:,} more" if more else "")


def unreadable(error: OSError) -> str:
    """Say why a file that holds secrets cannot be read; to the service's user, who may not, what helps."""
    reason = error.strerror or "it cannot be read"
    if not isinstance(error, PermissionError):
        return reason
    return f"{reason}; a file that only root may read is handed to the service by LoadCredential: docs/operations.md"


def did_you_mean(name: str, known: Collection[str], separator: str = ".") -> str:
    """Name in brackets what was most likely meant: a close spelling, or the same last word in another section."""
    last = name.rpartition(separator)[2]
    ends = [candidate for candidate in known if candidate.rpartition(separator)[2] == last]
    close = get_close_matches(name, known, 1) or ends
    return f" (did you mean {close[0]}?)" if close else ""
