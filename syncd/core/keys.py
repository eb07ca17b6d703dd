"""Keys: what may stand as a key in the store, and what syncd keeps for itself.

Borrowed rules: Consul answers 301 to another key for empty and dot segments, and newer versions refuse some
characters (see docs/consul-compatibility.md), so those never leave git.
"""

import re
import unicodedata
from typing import Final

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 524_288
RESERVED: Final = ".syncd"
"""The segment under which syncd keeps its own keys; refused at any depth in a tree."""

_PORTABLE = re.compile(r"[A-Za-z0-9,_./-]*\Z")


def join(prefix: str, key: str) -> str:
    """Put a tree's key under the store's prefix; an empty prefix adds nothing."""
    return f"{prefix}/{key}" if prefix else key


def own_prefix(prefix: str) -> str:
    """Name the string that every key of a source begins with: ``"config/"``, or ``""`` at the root."""
    return f"{prefix}/" if prefix else ""


def record_key(prefix: str) -> str:
    """Where the control record stands."""
    return join(prefix, f"{RESERVED}/revision")


def control_key(prefix: str) -> str:
    """Where people's orders stand."""
    return join(prefix, f"{RESERVED}/control")


def lease_key(prefix: str) -> str:
    """Where the lock stands."""
    return join(prefix, f"{RESERVED}/lease")


def is_reserved(prefix: str, key: str) -> bool:
    """Tell whether a full key is one of syncd's own."""
    return key.startswith(join(prefix, RESERVED + "/"))


def segment_fault(segment: str) -> str | None:
    """Say what is wrong with one segment of a key, or None."""
    if segment == "":
        return "an empty segment"
    if segment in (".", ".."):
        return f"the segment {segment!r}"
    if segment == RESERVED:
        return f"the segment {RESERVED!r}, which syncd keeps for itself"
    if segment.isascii():
        return "a control character" if not segment.isprintable() else None
    return _unicode_fault(segment)


def _unicode_fault(segment: str) -> str | None:
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in segment):
        return "a control character"
    if not unicodedata.is_normalized("NFC", segment):
        return "text that is not in Unicode's NFC form"
    return None


def is_portable(key: str) -> bool:
    """Tell whether every Consul version takes this key."""
    return _PORTABLE.match(key) is not None
