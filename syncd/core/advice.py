"""Commands that a message tells a person to run, with the flags that make them reach the same store.

``address`` is the store's where a person must say it, else "".
"""

from typing import Final

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8500"
"""Where commands look without being told: a person need not say it."""


def plan(address: str, at: str = "") -> str:
    """Write the command that shows what would change; ``at`` is a commit that is not the tip."""
    return f"syncd plan{_flags(address, at)}"


def approve(hash_: str, address: str, at: str = "") -> str:
    """Write the command that lets exactly one plan through; ``at`` is a commit that is not the tip."""
    return f"syncd apply --approve {hash_}{_flags(address, at)}"


def drift(address: str) -> str:
    """Write the command that lists drift."""
    return f"syncd drift{_flags(address, '')}"


def keep_drift(address: str) -> str:
    """Write the command that brings live values into the files."""
    return f"{drift(address)} --patch | git apply"


def resume(address: str) -> str:
    """Write the command that lifts a pause."""
    return f"syncd resume{_flags(address, '')}"


def _flags(address: str, at: str) -> str:
    commit = f" --at {at[:7]}" if at else ""
    return commit + ("" if address in ("", DEFAULT_ADDRESS) else f" --address {address.removeprefix('http://')}")
