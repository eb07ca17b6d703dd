"""Commands that a message tells a person to run, with the flags that make them reach the same store."""

from typing import Final

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8500"
"""Where commands look without being told."""


def plan(address: str) -> str:
    """Write the command that shows what would change."""
    return f"syncd plan{_flag(address)}"


def approve(hash_: str, address: str) -> str:
    """Write the command that lets exactly one plan through."""
    return f"syncd apply --approve {hash_}{_flag(address)}"


def _flag(address: str) -> str:
    return "" if address == DEFAULT_ADDRESS else f" --address {address.removeprefix('http://')}"
