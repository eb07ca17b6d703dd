"""Strict JSON to nodes, with positions: the standard library's reader knows no places and forgives too much."""

import json
import re
from bisect import bisect_right
from typing import Final

from syncd.core.mapping.limits import MAX_NODES, check_depth
from syncd.core.mapping.nodes import Fault, List, Map, Node, Scalar, Spot

_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<mark>[\[\]{},:])
    | (?P<plain>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?(?![0-9.eE+-])
              | (?:true|false|null)(?![A-Za-z0-9_]))
    | (?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_BREAK: Final = re.compile(r"\r\n|\n|\r")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SOUND_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PAIR_HINT: Final = "write both halves, or the character itself"


def read_json(text: str) -> Node | None:
    """Make nodes of one JSON text; None if there is none. Raises Fault."""
    return _Reader(text).read()


class _Reader:
    """A recursive descent, one token ahead; the depth is bounded by the limits."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]
        self._position = 0
        self._nodes = 0
        self._kind = self._word = ""
        self._spot = Spot(0, 0)
        self._advance()

    def read(self) -> Node | None:
        if self._kind == "end":
            return None
        node = self._value(1)
        if self._kind != "end":
            raise self._unexpected("the end of the file")
        return node

    def _advance(self) -> None:
        found = _TOKEN.match(self._text, self._position)
        if found is None:
            raise self._bad_token()
        self._kind = found.lastgroup or ""
        self._word = found[self._kind]
        self._spot = self._place(found.start(self._kind))
        self._position = found.end()

    def _place(self, index: int) -> Spot:
        line = bisect_right(self._starts, index) - 1
        return Spot(line, index - self._starts[line])

    def _value(self, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Fault("too-many-nodes", self._spot, f"the file has more than {MAX_NODES:,} nodes", "split the file")
        if self._word not in ("{", "["):
            return self._scalar()
        check_depth(depth, self._spot)
        return self._map(depth) if self._word == "{" else self._list(depth)

    def _map(self, depth: int) -> Map:
        node = Map(self._spot, None)
        self._advance()
        while self._more("}", node.items):
            if self._kind != "text":
                raise self._unexpected("a key in double quotes")
            node.items.append(self._scalar())
            self._take(":")
            node.items.append(self._value(depth + 1))
        return node

    def _list(self, depth: int) -> List:
        node = List(self._spot, None)
        self._advance()
        while self._more("]", node.items):
            node.items.append(self._value(depth + 1))
        return node

    def _more(self, end: str, items: list[Node]) -> bool:
        if self._word == end:
            self._advance()
            return False
        if items:
            self._take(",", f"a comma or {end}")
        return True

    def _take(self, mark: str, name: str = "") -> None:
        if self._word != mark:
            raise self._unexpected(name or mark)
        self._advance()

    def _scalar(self) -> Scalar:
        if self._kind not in ("plain", "text"):
            raise self._unexpected("a value")
        quoted, spot = self._kind == "text", self._spot
        text = self._string() if quoted else self._word
        self._advance()
        return Scalar(None, None, (not quoted, quoted), text, spot, spot, '"' if quoted else "")

    def _string(self) -> str:
        if "\\" not in self._word:
            return self._word[1:-1]
        text = str(json.loads(self._word))
        if _SURROGATE.search(text):
            raise Fault("bad-character", self._spot, "half of a surrogate pair is no character", _PAIR_HINT)
        return text

    def _unexpected(self, wanted: str) -> Fault:
        found = "the file ends" if self._kind == "end" else "something else stands here"
        return Fault("json-syntax", self._spot, f"expected {wanted}, but {found}")

    def _bad_token(self) -> Fault:
        start = _SPACE.match(self._text, self._position).end()  # type: ignore[union-attr]  # matches nothing too
        sound = _SOUND_STRING.match(self._text, start)
        if sound is None:
            hint = "JSON knows strings in double quotes, numbers, true, false and null"
            return Fault("json-syntax", self._place(start), "nothing in JSON is written like this", hint)
        if sound.end() == len(self._text):
            return Fault("json-syntax", self._place(start), "the string has no end")
        if self._text[sound.end()] == "\\":
            return Fault("json-syntax", self._place(sound.end()), "JSON has no such escape")
        return Fault("json-syntax", self._place(sound.end()), "a control character must be written as an escape")
