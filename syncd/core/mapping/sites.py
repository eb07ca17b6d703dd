"""Where each key's value stands in the text of its file."""

import json
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from syncd.core.desired import Policy
from syncd.core.mapping.findings import Findings
from syncd.core.mapping.nodes import List, Map, Mark, Node, Scalar
from syncd.core.mapping.walk import Walk

BREAK: Final = re.compile(r"\r\n|\n|\r")
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*(?:\s+(?:#[^\r\n]*\s+)*|\Z))*")
"""Anchor and tag in front of a value, with the comments between."""
_JSON: Final = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True, slots=True)
class Site:
    """What gives a key its value: the node, and the place that is named for it.

    ``owner`` is the mapping that the value is an entry of, None for a list's item; ``flow`` says that it stands inside
    brackets or braces.
    """

    node: Node
    mark: Mark
    owner: Map | None
    flow: bool


class Unclear(Exception):
    """Where a node ends cannot be told: an alias is its last part."""


class Text:
    """A file's text, and where its nodes stand in it."""

    def __init__(self, path: str, text: str) -> None:
        self.text = text
        self.json = path.endswith(".json")
        self._starts = [0, *(found.end() for found in BREAK.finditer(text))]
        found = BREAK.search(text)
        self.line_end = found[0] if found else "\n"

    def index(self, mark: Mark) -> int:
        """Count the characters before a place."""
        return self._starts[mark.line] + mark.column

    def span(self, node: Node) -> tuple[int, int]:
        """Tell where a node begins and ends, its anchor and tag included. Raises Unclear."""
        start = self.index(node.start_mark)
        if self.json:
            return start, _JSON.raw_decode(self.text, start)[1]
        if isinstance(node, Scalar) or self.is_flow(node):
            return start, self.index(node.end_mark)
        last = self.span(node.items[-1])[1]
        if last <= start:
            raise Unclear
        return start, start + len(self.text[start:last].rstrip())

    def is_flow(self, node: Map | List) -> bool:
        """Tell whether a collection is written with brackets or braces."""
        start = self.index(node.start_mark)
        return self.text.startswith(("{", "["), start + len(self.head(start)))

    def head(self, start: int) -> str:
        """Return the anchor and the tag that a node begins with, and the space behind them."""
        found = None if self.json else _PROPERTIES.match(self.text, start)
        return found[0] if found else ""

    def lines(self, start: int, end: int) -> tuple[int, int]:
        """Widen a span to whole lines, the last one's end included."""
        after = bisect_left(self._starts, end)
        past = self._starts[after] if after < len(self._starts) else len(self.text)
        return self._starts[bisect_right(self._starts, start) - 1], past


class Sites(Walk):
    """Walks a valid file and remembers, for each key, what gave it."""

    def __init__(self, path: str, policy: Policy, text: Text) -> None:
        super().__init__(path, policy, "", Findings(path, b"", hidden=True), merges=True)
        self.found: dict[str, Site] = {}
        self._site: Site
        self._text = text
        self._owner: Map | None = None
        self._flow = False

    def root(self, node: Map, key: str) -> None:
        """Take the root's keys."""
        self._site = Site(node, node.start_mark, None, flow=False)
        super().root(node, key)

    def put(self, key: str, value: bytes, mark: Mark, *, secret: bool = False) -> None:
        """Take one key."""
        super().put(key, value, mark, secret=secret)
        self.found[key] = self._site

    def _value(self, node: Node, key: str, mark: Mark, depth: int) -> None:
        self._site = Site(node, mark, self._owner, self._flow)
        super()._value(node, key, mark, depth)

    def _mapping(self, node: Map, at: str, depth: int) -> None:
        outer = self._owner, self._flow
        self._owner, self._flow = node, self._flow or self._text.is_flow(node)
        super()._mapping(node, at, depth)
        self._owner, self._flow = outer

    def _list(self, node: List, at: str, depth: int) -> None:
        outer = self._owner, self._flow
        self._owner, self._flow = None, self._flow or self._text.is_flow(node)
        super()._list(node, at, depth)
        self._owner, self._flow = outer
