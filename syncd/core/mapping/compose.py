"""YAML text to nodes, through libyaml's events.

Events, not PyYAML's own composer: that one recurses in C and crashes the process on deep nesting, and it accepts
anchors that refer to themselves. This loop costs the same and stops at the limits.
"""

from typing import Any, Final, cast

from yaml import MarkedYAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from syncd.core.mapping.limits import MAX_ALIASES, MAX_NODES, check_depth
from syncd.core.mapping.nodes import Fault, List, Map, Mark, Node, Spot

_ONE_DOCUMENT: Final = "keep one document in a file"
_STARTS: Final[dict[type, type[Map] | type[List]]] = {MappingStartEvent: Map, SequenceStartEvent: List}
_ENDS: Final = (MappingEndEvent, SequenceEndEvent)


def compose(data: bytes) -> Node | None:
    """Make nodes of one YAML document in valid UTF-8; None if there is none. Raises Fault."""
    try:
        return _Composer(data).compose()
    except MarkedYAMLError as error:
        raise _syntax_fault(error) from error
    except ReaderError as error:
        message = f"the character U+{int(error.character):04X} may not stand in YAML as it is"
        raise Fault(
            "bad-character", mark_at(data, error.position), message, "write it as an escape in quotes"
        ) from error


def mark_at(data: bytes, offset: int) -> Mark:
    """Find the line and column of a byte."""
    before = data[:offset]
    line = before[before.rfind(b"\n") + 1 :].decode(errors="replace")
    return Spot(before.count(b"\n"), len(line))


class _Composer:
    def __init__(self, data: bytes) -> None:
        self._next_event = CParser(data).get_event
        self._anchors: dict[str, Node] = {}
        self._open: list[Map | List] = []
        self._aliases = 0

    def compose(self) -> Node | None:
        """Go through the events; the branch for scalars comes first, because nearly all events are scalars."""
        document = List(Spot(0, 0), None)
        add, next_event, scalar = document.items.append, self._next_event, ScalarEvent
        event: Any
        for _ in range(MAX_NODES):
            event = next_event()
            kind = event.__class__
            if kind is scalar:
                if event.anchor is not None:
                    self._anchors[event.anchor] = event
                add(event)
            elif kind in _STARTS:
                add(self._start(event))
                add = self._open[-1].items.append
            elif kind in _ENDS:
                self._open.pop().end_mark = event.end_mark
                add = (self._open[-1] if self._open else document).items.append
            elif kind is AliasEvent:
                add(self._alias(event))
            elif kind is DocumentStartEvent and document.items:
                raise Fault("several-documents", event.start_mark, "a second document begins here", _ONE_DOCUMENT)
            elif kind is StreamEndEvent:
                return document.items[0] if document.items else None
        raise Fault("too-many-nodes", event.start_mark, f"the file has more than {MAX_NODES:,} nodes", "split the file")

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> Map | List:
        node = _STARTS[event.__class__](cast("Mark", event.start_mark), event.tag)
        self._open.append(node)
        check_depth(len(self._open), node.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent) -> Node:
        mark = cast("Mark", event.start_mark)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise Fault("too-many-aliases", mark, f"the file has more than {MAX_ALIASES:,} aliases", "use fewer")
        node = self._anchors.get(event.anchor or "")
        # Neither message names the anchor: an unquoted secret may begin with an asterisk.
        if node is None:
            hint = "quote it if it is meant as text"
            raise Fault("undefined-alias", mark, "no anchor of this name stands before the alias", hint)
        if node in self._open:
            raise Fault("self-reference", mark, "the anchor holds an alias to itself")
        return node


def _syntax_fault(error: MarkedYAMLError) -> Fault:
    context = f" {error.context}" if error.context else ""
    mark = error.problem_mark or Spot(0, 0)
    return Fault("yaml-syntax", mark, f"{error.problem}{context}")
