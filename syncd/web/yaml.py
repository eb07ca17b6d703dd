"""A flat map as YAML, a key a line: JSON's strings are YAML's, but for a few characters that YAML takes otherwise."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_UNLIKE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Line breaks and unprintable characters of YAML 1.1 that JSON leaves as they are."""


def render(head: Mapping[str, object], name: str, pairs: Mapping[str, object]) -> bytes:
    """Write facts, then a map under a name, in its order; the values are what JSON can hold."""
    lines = [f"{_text(key)}: {_text(value)}\n" for key, value in head.items()]
    lines += [f"{name}:\n" if pairs else f"{name}: {{}}\n"]
    lines += [f"  {_text(key)}: {_text(value)}\n" for key, value in pairs.items()]
    return "".join(lines).encode()


def _text(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() and "\x7f" not in text else _UNLIKE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
