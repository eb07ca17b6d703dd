"""Another value for a list, or for a mapping that stays whole: both are one key with compact JSON."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from syncd.core.mapping.findings import Findings
from syncd.core.mapping.forms import Slot, forms, literal_form, tail_of
from syncd.core.mapping.json_reader import read_json
from syncd.core.mapping.json_text import JsonWriter
from syncd.core.mapping.limits import Budget
from syncd.core.mapping.nodes import Fault, List, Map, Node, Scalar
from syncd.core.mapping.sites import Site, Text

_COMMENT: Final = re.compile(r"(?:^|\s)#")
_STEP: Final = 2


class Splice(NamedTuple):
    """Text to put in the place of what stands between two positions."""

    start: int
    end: int
    text: str


Way = tuple[Splice, ...]
"""One way to write a change."""


class _Unfit(Exception):
    """The new value has another shape than this way can write."""


def slot_of(text: Text, node: Node, site: Site, *, item: bool = False, flow: bool = False) -> Slot:
    """Describe the place of a node. Raises Unclear."""
    start, end = text.span(node)
    head = text.head(start)
    style = (node.style or "") if isinstance(node, Scalar) else ""
    body = text.text[start + len(head) : end]
    return Slot(
        head=head,
        body=body,
        style=style,
        tag=node.tag,
        indent=" " * (site.mark.column + _STEP),
        line_end=text.line_end,
        tail=tail_of(style, body),
        flow=site.flow or flow,
        json=text.json,
        item=item,
    )


def has_comment(part: str) -> bool:
    """Tell whether a part of a file may hold a comment."""
    return _COMMENT.search(part) is not None


def whole_ways(text: Text, site: Site, value: bytes) -> Iterator[Way]:
    """List the ways to write another value for a collection: the one that touches least comes first."""
    node = site.node
    assert isinstance(node, List | Map)
    new = _canonical(value)
    if new is not None:
        with suppress(_Unfit):
            yield tuple(_parts(text, site, node, new, flow=False))
    start, end = text.span(node)
    if not text.json and has_comment(text.text[start:end]):
        return
    if isinstance(node, List) and isinstance(new, List):
        with suppress(_Unfit):
            yield (_list(text, site, node, new),)
    slot = slot_of(text, node, site)
    if new is not None:
        yield (replacement(text, node, " ".join([*slot.head.split(), value.decode()])),)
    for written in forms(slot, value):
        yield (replacement(text, node, written),)


def replacement(text: Text, node: Node, written: str) -> Splice:
    """Put one line in the place of a node; of a block below its key, on the key's own line. Raises Unclear."""
    start, end = text.span(node)
    if isinstance(node, Scalar) or text.json or text.is_flow(node):
        return Splice(start, end, written)
    before = len(text.text[:start].rstrip())
    on_line = text.text[before - 1 : before] == ":"
    return Splice(before, end, f" {written}") if on_line else Splice(start, end, written)


def _canonical(value: bytes) -> Node | None:
    """Read compact JSON that a collection could have made."""
    try:
        node = read_json(value.decode())
        same = isinstance(node, List | Map) and _json(node) == value
    except (Fault, UnicodeDecodeError):
        return None
    return node if same else None


def _json(node: Node) -> bytes:
    return JsonWriter(Findings("", b"", hidden=True), Budget()).write(node)


def _parts(text: Text, site: Site, old: Node, new: Node, *, flow: bool) -> Iterator[Splice]:
    """Change only the scalars that differ. Raises _Unfit where the two are not of one shape."""
    if isinstance(old, Scalar):
        if not isinstance(new, Scalar):
            raise _Unfit
        if _json(old) != _json(new):
            yield Splice(*text.span(old), _item(text, site, old, new, flow=flow))
        return
    if type(old) is not type(new) or isinstance(new, Scalar) or len(old.items) != len(new.items):
        raise _Unfit
    flow = flow or text.is_flow(old)
    pairs = list(zip(old.items, new.items, strict=True))
    if isinstance(old, Map):
        if any(not isinstance(one, Scalar) or _name(one) != _name(other) for one, other in pairs[::2]):
            raise _Unfit
        pairs = pairs[1::2]
    for one, other in pairs:
        yield from _parts(text, site, one, other, flow=flow)


def _name(key: Node) -> str:
    assert isinstance(key, Scalar)
    return key.value


def _list(text: Text, site: Site, old: List, new: List) -> Splice:
    """Write another number of scalars between the same brackets, or behind dashes as they are."""
    spans = [text.span(item) for item in old.items]
    if not spans or not new.items or not all(isinstance(item, Scalar) for item in (*old.items, *new.items)):
        raise _Unfit
    start, end = text.span(old)
    flow, whole = text.is_flow(old), text.text
    between = ", " if flow else f"{text.line_end}{' ' * old.start_mark.column}- "
    if len(spans) > 1:
        between = whole[spans[0][1] : spans[1][0]]
    known = {_json(item): whole[slice(*span)] for item, span in zip(old.items, spans, strict=True)}
    last = old.items[-1]
    items = [known.get(_json(item)) or _item(text, site, last, item, flow=flow, added=True) for item in new.items]
    return Splice(start, end, whole[start : spans[0][0]] + between.join(items) + whole[spans[-1][1] : end])


def _item(text: Text, site: Site, old: Node, new: Node, *, flow: bool, added: bool = False) -> str:
    """Write a scalar in the style of another one."""
    assert isinstance(new, Scalar)
    slot = slot_of(text, old, site, item=True, flow=flow)
    if added:
        slot = replace(slot, head="", tag=None)
    return literal_form(slot, _json(new).decode(), new.value if new.style else None)
