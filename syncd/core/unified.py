"""Two states of a file as a patch that ``git apply`` takes, written as ``git diff`` writes it."""

import re
from collections.abc import Container, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

_CONTEXT: Final = 3
_LEAST_CONTEXT: Final = 1
"""Without any, git apply does not know where a hunk belongs."""
_Step = tuple[str, int, int, int, int]
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_NO_END: Final = b"\n\\ No newline at end of file\n"
_UNSAFE: Final = re.compile(rb"[^ !#-\[\]-~]")
_ESCAPES: Final = {ord(char): f"\\{letter}" for char, letter in zip('\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True)}


def file_patch(path: bytes, old: bytes, new: bytes | None, hidden: Container[int] = ()) -> bytes | None:
    """Write what leads from one content to another; None: the file is gone. ``path`` is from the repository's root.

    ``hidden`` lines of the old content, counted from 0, are not shown: there is less context beside them, and no patch
    (None) where they would have to be shown all the same.
    """
    lines, after = _LINE.findall(old), _LINE.findall(new or b"")
    matcher = SequenceMatcher(None, lines, after)
    for context in (_CONTEXT, _LEAST_CONTEXT):
        groups = list(matcher.get_grouped_opcodes(context))
        if not any(line in hidden for group in groups for line in range(group[0][1], group[-1][2])):
            hunks = b"".join(part for group in groups for part in _hunk(group, lines, after))
            return _head(path, gone=new is None, changed=bool(hunks)) + hunks
    return None


def _head(path: bytes, *, gone: bool, changed: bool) -> bytes:
    before, after = _name(b"a/" + path), _name(b"b/" + path)
    # A name with a space ends in a tab, so that no date is read from it.
    tab = b"\t" if b" " in path else b""
    first = b"diff --git %b %b\n" % (before, after)
    mode = b"deleted file mode 100644\n" if gone else b""
    names = b"--- %b%b\n+++ %b\n" % (before, tab, b"/dev/null" if gone else after + tab)
    return (first + mode if gone or changed else b"") + (names if changed else b"")


def _name(path: bytes) -> bytes:
    """Quote a path as git does where it is not plain ASCII."""
    if not _UNSAFE.search(path):
        return path
    return b'"%b"' % _UNSAFE.sub(_escape, path)


def _escape(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    return _ESCAPES.get(byte, f"\\{byte:03o}").encode()


def _hunk(group: Sequence[_Step], old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    yield b"@@ -%b +%b @@\n" % (_range(group[0][1], group[-1][2]), _range(group[0][3], group[-1][4]))
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
