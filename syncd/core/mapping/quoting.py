"""Text and bytes as YAML that reads back exactly: plain where that is safe, a block or quotes where not."""

import re
from base64 import encodebytes
from typing import Final

from syncd.core.mapping.scalars import NULLS

_PLAIN: Final = re.compile(r"(?![-?:][ ]|[-?:]\Z|---|\.\.\.)[A-Za-z0-9_/.+$^~()\\<=;-][^\x00-\x1f#]*")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./-]*")
_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
"""What double quotes cannot hold as it is: YAML's unprintable characters and what it may take for a line break."""
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_SIMPLE_KEY: Final = 900
"""Of a key on its line; libyaml allows 1,024 characters."""
_SHORT: Final = 40


def write_key(text: str) -> str:
    """Write a mapping's key with its colon."""
    quoted = text if _PLAIN_KEY.fullmatch(text) else double_quoted(text)
    return f"{quoted}:" if len(quoted) < _LONGEST_SIMPLE_KEY else f"? {quoted}\n:"


def write_value(value: bytes, indent: str) -> str:
    """Write a value; ``indent`` is for the lines after the first."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _binary(value, indent)
    if _NO_TEXT.search(text):
        return _binary(value, indent)
    if _is_plain(text):
        return text
    return _block(text, indent) if _fits_block(text) else double_quoted(text)


def _is_plain(text: str) -> bool:
    safe = _PLAIN.fullmatch(text) and not _ESCAPED.search(text.replace("\\", ""))
    return bool(safe) and text not in NULLS and text == text.strip() and ": " not in text and not text.endswith(":")


def _fits_block(text: str) -> bool:
    """Tell whether a literal block holds a text as it is, and a reader sees all of it."""
    if "\n" not in text.rstrip("\n") or text[0] in " \t\n":
        return False
    lines = text.split("\n")
    unsafe = any(line != line.rstrip() or _ESCAPED.search(re.sub(r'["\\\t]', "", line)) for line in lines)
    return not unsafe


def _block(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([f"|{chomping}", *lines, *[""] * (ends - 1)])


def double_quoted(text: str) -> str:
    """Write any text on one line."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    return _SHORT_ESCAPES.get(char) or f"\\u{ord(char):04X}"


_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _binary(value: bytes, indent: str) -> str:
    lines = encodebytes(value).decode().splitlines()
    return f"!!binary {lines[0]}" if len(lines) == 1 else "\n".join(["!!binary |", *(indent + line for line in lines)])
