"""What the store holds."""

from typing import Any

import msgspec

from syncd.core.digest import shown_hash


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One key of the store; ``index`` is Consul's ModifyIndex, ``session`` the lock's holder or "".

    Not tracked by the garbage collector: there may be 100,000 of them.
    """

    value: bytes
    flags: int
    index: int
    session: str = ""

    def __repr__(self) -> str:
        """Never show the value, which may be a secret: a stray log line or traceback would."""
        return f"Entry({shown_hash(self.value)}, flags={self.flags:#x}, index={self.index})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Keep rich, which looks here first, to the same."""
        return [("value", shown_hash(self.value)), ("flags", self.flags), ("index", self.index)]


class Listing(msgspec.Struct, frozen=True):
    """One consistent recursive read of a prefix.

    ``entries`` holds the configuration by key relative to the prefix, without syncd's own keys; ``own`` holds those
    (``revision``, ``lease``, ``control``, by their last segment). ``index`` is the prefix's X-Consul-Index.
    """

    entries: dict[str, Entry]
    own: dict[str, Entry]
    index: int
