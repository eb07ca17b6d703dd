"""JSON documents with a format number, as other versions of syncd or other people may have left them."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding hostile bytes can raise; msgspec wraps neither bad UTF-8 nor deep nesting."""


class _Format(msgspec.Struct):
    format: int


def format_of(text: bytes) -> int:
    """Read the format number alone, so that a newer document is told from a damaged one; raises UNREADABLE."""
    return msgspec.json.decode(text, type=_Format).format
