"""Commands that a message tells a person to run, with the flags that make them reach the same tree and store.

``place`` is what ``reach`` makes: those flags with a space in front, "" where commands get there without.
"""

from collections.abc import Iterable
from shlex import quote
from typing import Final

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8500"
"""Where commands look without being told: a person need not say it."""


def reach(address: str, given: Iterable[tuple[str, str]] = ()) -> str:
    """Write the flags of a place: those that were ``given``, and the store's address where it must be said, else ""."""
    shown = "" if address == DEFAULT_ADDRESS else address.removeprefix("http://")
    flags = [*given, ("--address", shown)] if shown else given
    return "".join(f" {flag} {quote(value)}" for flag, value in flags)


def plan(place: str, at: str = "") -> str:
    """Write the command that shows what would change; ``at`` is a commit that is not the tip."""
    return f"syncd plan{_commit(at)}{place}"


def approve(hash_: str, place: str, at: str = "") -> str:
    """Write the command that lets exactly one plan through; ``at`` is a commit that is not the tip."""
    return f"syncd apply --approve {hash_}{_commit(at)}{place}"


def drift(place: str) -> str:
    """Write the command that lists drift."""
    return f"syncd drift{place}"


def keep_drift(place: str) -> str:
    """Write the command that brings live values into the files."""
    return f"{drift(place)} --patch | git apply"


def resume(place: str) -> str:
    """Write the command that lifts a pause."""
    return f"syncd resume{place}"


def _commit(at: str) -> str:
    return f" --at {at[:7]}" if at else ""
