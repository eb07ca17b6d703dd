"""Another value in the style of the one that stands there; the first form that reads back exactly is taken."""

import re
import textwrap
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from json.encoder import encode_basestring
from typing import Final

from syncd.core.desired import Policy
from syncd.core.mapping.file import read
from syncd.core.mapping.quoting import double_quoted, write_value
from syncd.core.mapping.scalars import STANDARD
from syncd.core.mapping.sites import BREAK

_TAG: Final = re.compile(r"(?:^|(?<=\s))!\S*\s*")
_JSON_WORD: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false")
_BLOCK_HEADER: Final = re.compile(r"[|>][-+0-9]*([^\r\n]*)")
_BASE64_LINE: Final = 76


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a scalar and what stands in it: ``head`` is anchor and tag, ``body`` the rest as written.

    ``style`` is YAML's: a quote, ``|``, ``>`` or "" for plain; ``tail`` stays behind what is written on one line.
    ``item`` says that what counts is the text that the
    value makes inside compact JSON.
    """

    head: str
    body: str
    style: str
    tag: str | None
    indent: str
    line_end: str
    tail: str = ""
    flow: bool = False
    json: bool = False
    item: bool = False

    @property
    def untagged(self) -> str:
        """The head without its tag."""
        return _TAG.sub("", self.head, count=1) if self.tag else self.head


def tail_of(style: str, body: str) -> str:
    """Return what belongs to a block but not to its value: the comment beside its sign, the line ends behind it."""
    header = _BLOCK_HEADER.match(body) if style in ("|", ">") else None
    return header[1] + body[len(body.rstrip()) :] if header else ""


def forms(slot: Slot, value: bytes) -> Iterator[str]:
    """Write a value for a slot: as what is there, and on one line.

    A block may not fit between what stands around it: a comment on the same line, the end of the file.
    """
    for fitting in (slot, replace(slot, style='"')):
        written = _sound(_forms(fitting, value), fitting, value)
        if written is not None:
            yield written


def literal_form(slot: Slot, literal: str, text: str | None) -> str:
    """Write what compact JSON holds as ``literal``; ``text`` is its content where it is a string."""
    written = [slot.untagged + literal] if text is None or slot.json else _forms(slot, text.encode())
    return _sound(written, slot, literal.encode()) or literal


def _sound(written: Iterable[str], slot: Slot, value: bytes) -> str | None:
    return next((each for each in written if _reads_back(each, slot, value)), None)


def _reads_back(text: str, slot: Slot, value: bytes) -> bool:
    """Tell whether a form gives the value, and nothing beside it, in a small file."""
    if slot.json or slot.flow:
        document = f'{{"k": {f"[{text}]" if slot.item else text}, "z": 0}}'
    else:
        end = "" if text.endswith(("\n", "\r")) else "\n"
        document = f"k:{f'{slot.line_end}-' if slot.item else ''} {text}{end}z: 0\n"
    keys, problems, _ = read("k.json" if slot.json else "k.yaml", document.encode(), Policy(), "")
    wanted = {"k/k": b"[%b]" % value if slot.item else value, "k/z": b"0"}
    return {key: said.value for key, said in keys.items()} == wanted and all(
        problem.severity == "warning" for problem in problems
    )


def _forms(slot: Slot, value: bytes) -> Iterator[str]:
    text = _text(value)
    if slot.json:
        yield from _json_forms(slot, text)
        return
    if slot.tag == f"{STANDARD}binary":
        yield slot.head + _binary(slot, value)
    for head in dict.fromkeys((slot.head, slot.untagged)) if text is not None else ():
        yield from (head + each for each in _texts(slot, text or ""))
    yield f"{slot.untagged}!!binary {b64encode(value).decode()}{slot.tail}"


def _json_forms(slot: Slot, text: str | None) -> Iterator[str]:
    if text is None:
        return
    if not slot.style and _JSON_WORD.fullmatch(text):
        yield text
    yield encode_basestring(text)


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _texts(slot: Slot, text: str) -> Iterator[str]:
    """Write a text: first in the style that is there, then in those that hold more."""
    if slot.style == "'":
        yield "'" + text.replace("'", "''") + "'"
    elif slot.style in ("|", ">"):
        yield from _blocks(slot, text)
    elif not slot.style:
        yield text
        yield write_value(text.encode(), slot.indent).replace("\n", slot.line_end)
    yield double_quoted(text) + slot.tail


def _blocks(slot: Slot, text: str) -> Iterator[str]:
    body = text.rstrip("\n")
    if not body:
        return
    if slot.style == ">":
        folded = re.sub(r"\n+", r"\g<0>\n", body)
        yield _block(slot, ">", _wrapped(folded, slot), text)
        yield _block(slot, ">", folded, text)
    yield _block(slot, "|", body, text)


def _wrapped(text: str, slot: Slot) -> str:
    """Break long lines where the text that is there breaks its own."""
    width = max(map(len, BREAK.split(slot.body)[1:])) - len(_indent(slot))
    return "\n".join(
        textwrap.fill(line, max(width, 1), break_long_words=False, break_on_hyphens=False) for line in text.split("\n")
    )


def _block(slot: Slot, sign: str, body: str, text: str) -> str:
    """Write a block scalar with the comment, the indentation and the empty lines that are there."""
    ends = len(text) - len(text.rstrip("\n"))
    header = _BLOCK_HEADER.match(slot.body)
    comment = header[1] if header else ""
    indent = _indent(slot)
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    if ends > 1:
        chomping, tail = "+", slot.line_end * ends
    else:
        chomping, tail = ("" if ends else "-"), slot.body[len(slot.body.rstrip()) :] or slot.line_end * ends
    return f"{sign}{chomping}{comment}{slot.line_end}{slot.line_end.join(lines)}{tail}"


def _indent(slot: Slot) -> str:
    """Return what the lines of a block begin with."""
    lines = [line for line in BREAK.split(slot.body)[1:] if line.strip()]
    return min((line[: len(line) - len(line.lstrip(" "))] for line in lines), key=len, default=slot.indent)


def _binary(slot: Slot, value: bytes) -> str:
    encoded = b64encode(value).decode()
    if slot.style in ("|", ">") and encoded:
        lines = [encoded[start : start + _BASE64_LINE] for start in range(0, len(encoded), _BASE64_LINE)]
        return _block(slot, slot.style, "\n".join(lines), "\n")
    return (encoded if slot.style == "" else double_quoted(encoded)) + slot.tail
