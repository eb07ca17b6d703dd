"""Two states of a file as a patch that ``git apply`` takes, written as ``git diff`` writes it."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

_CONTEXT: Final = 3
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_NO_END: Final = b"\n\\ No newline at end of file\n"
_UNSAFE: Final = re.compile(rb"[^ !#-\[\]-~]")
_ESCAPES: Final = {ord(char): f"\\{letter}" for char, letter in zip('\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True)}


def file_patch(path: bytes, old: bytes, new: bytes | None) -> bytes:
    """Write what leads from one content to another; None: the file is gone. ``path`` is from the repository's root."""
    before, after = _name(b"a/" + path), _name(b"b/" + path)
    head = b"diff --git %b %b\n" % (before, after)
    if new is None:
        head += b"deleted file mode 100644\n"
    hunks = b"".join(_hunks(_LINE.findall(old), _LINE.findall(new or b"")))
    if not hunks:
        return head if new is None else b""
    # A name with a space ends in a tab, so that no date is read from it.
    tab = b"\t" if b" " in path else b""
    target = b"/dev/null" if new is None else after + tab
    return head + b"--- %b%b\n+++ %b\n" % (before, tab, target) + hunks


def _name(path: bytes) -> bytes:
    """Quote a path as git does where it is not plain ASCII."""
    if not _UNSAFE.search(path):
        return path
    return b'"%b"' % _UNSAFE.sub(_escape, path)


def _escape(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    return _ESCAPES.get(byte, f"\\{byte:03o}").encode()


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(_CONTEXT):
        (_, first, _, onto, _), (_, _, last, _, end) = group[0], group[-1]
        yield b"@@ -%b +%b @@\n" % (_range(first, last), _range(onto, end))
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from _lines(b" ", old[i:j])
            else:
                yield from _lines(b"-", old[i:j])
                yield from _lines(b"+", new[k:m])


def _lines(sign: bytes, lines: Sequence[bytes]) -> Iterator[bytes]:
    return (sign + (line if line.endswith(b"\n") else line + _NO_END) for line in lines)


def _range(start: int, end: int) -> bytes:
    """Write where a hunk stands: its first line from 1, or the line before where it has none."""
    length = end - start
    return b"%d" % (start + 1) if length == 1 else b"%d,%d" % (start + (length > 0), length)
