"""Patterns as in ``.gitignore``, over paths and keys."""

from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=256)
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Make a test for whether patterns match a path; the last that matches decides. Raises ValueError for a bad one."""
    # Imported here: most trees have no patterns, and pathspec takes 25 ms to import.
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # see above

    return GitIgnoreSpec.from_lines(patterns).match_file


def pattern_fault(pattern: str) -> str | None:
    """Say what is wrong with a single pattern that must match something, or None."""
    if pattern.startswith("!"):
        return "a pattern that begins with ! matches nothing by itself"
    try:
        matches_something = bool(_parts(pattern))
    except ValueError:
        return "not a pattern as in .gitignore"
    return None if matches_something else "a pattern that matches nothing"


def _parts(pattern: str) -> list[object]:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # see above

    return [part for part in GitIgnoreSpec.from_lines((pattern,)).patterns if part.include is not None]
