"""Patterns as in ``.gitignore``, over paths and keys.

Git's own rules (gitignore(5), wildmatch.c): a folder is decided before what is in it, so that ``!d/x`` takes nothing
back from ``d/``. Libraries decide on the whole path at once and differ there.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"(?P<below>(?:(?<=/)|^)\*\*/)|(?P<inside>(?:(?<=/)|^)\*\*\Z)|(?P<many>\*+)|(?P<one>\?)|\\(?P<literal>.)"
    r"|\[(?P<negated>[!^]?)(?P<set>\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*)\]|(?P<plain>[^\\\[])",
    re.DOTALL,
)
MOST_WILDCARDS: Final = 3
_MEMBER: Final = re.compile(r"\[:(?P<name>[a-z]+):\]|(?P<range>(?<!\A)-(?!\Z))|\\?(?P<char>.)", re.DOTALL)
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class _Pattern(NamedTuple):
    includes: bool
    folders_only: bool
    matches: Callable[[str], object]


@lru_cache(maxsize=256)
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Make a test for whether patterns match a path or a folder above it; the last that matches decides.

    Raises ValueError for a bad one.
    """
    backwards = tuple(_compile(pattern) for pattern in reversed(patterns))

    def decide(path: str, *, folder: bool) -> bool:
        found = (one.includes for one in backwards if (folder or not one.folders_only) and one.matches(path))
        return next(found, False)

    @lru_cache(maxsize=4096)
    def takes_folder(path: str) -> bool:
        return decide(path, folder=True)

    def matches(path: str) -> bool:
        return any(map(takes_folder, _folders(path))) or decide(path, folder=False)

    return matches


def pattern_fault(pattern: str) -> str | None:
    """Say what is wrong with a single pattern that must match something, or None."""
    if pattern.startswith("!"):
        return "a pattern that begins with ! matches nothing by itself"
    if pattern.startswith("#") or not pattern.strip().strip("/"):
        return "a pattern that matches nothing"
    try:
        _compile(pattern)
    except ValueError:
        return "not a pattern as in .gitignore"
    return None


def is_costly(pattern: str) -> bool:
    """Tell whether a pattern of a stranger may take too long: each wildcard multiplies what a match can cost."""
    return pattern.count("*") - pattern.count("**") > MOST_WILDCARDS


def _folders(path: str) -> Iterator[str]:
    """List the folders above a path, the outermost first."""
    return (path[: slash.start()] for slash in re.finditer("/", path))


def _compile(pattern: str) -> _Pattern:
    text = re.sub(r"((?:\\.|[^\\])*?) *\Z", r"\1", pattern.removeprefix("!"), flags=re.DOTALL)
    name = text.removesuffix("/")
    anywhere = "" if "/" in name else "(?:.*/)?"
    try:
        regex = re.compile(anywhere + _regex(name.removeprefix("/")), re.DOTALL)
    except re.error as error:
        raise ValueError(str(error)) from None
    return _Pattern(not pattern.startswith("!"), name != text, regex.fullmatch)


def _regex(glob: str) -> str:
    written, position = "", 0
    while position < len(glob):
        token = _TOKEN.match(glob, position)
        if token is None:
            raise ValueError(glob)
        written += _part(token)
        position = token.end()
    return written


def _part(token: re.Match[str]) -> str:
    if token["set"] is not None:
        return f"(?!/)[{'^' if token['negated'] else ''}{_MEMBER.sub(_member, token['set'])}]"
    wild = {"below": "(?:.*/)?", "inside": ".+", "many": "[^/]*", "one": "[^/]"}
    return wild.get(token.lastgroup or "") or re.escape(token["literal"] or token["plain"])


def _member(found: re.Match[str]) -> str:
    if found["name"]:
        if found["name"] not in _CLASSES:
            raise ValueError(found["name"])
        return _CLASSES[found["name"]]
    return "-" if found["range"] else re.escape(found["char"])
