"""Nodes to keys: one segment for each level, one key for each scalar and for each thing that stays whole."""

import re
from functools import lru_cache
from typing import Final

from syncd.core.desired import DesiredKey, Policy
from syncd.core.keys import MAX_KEY_BYTES, MAX_VALUE_BYTES, is_portable, join, segment_fault
from syncd.core.mapping.findings import Findings
from syncd.core.mapping.globs import matcher
from syncd.core.mapping.json_text import JsonWriter, duplicate_key, key_text, too_large
from syncd.core.mapping.limits import MAX_YIELD_BYTES, Budget, Exhausted, check_depth
from syncd.core.mapping.merge import merged_pairs
from syncd.core.mapping.nodes import Fault, List, Map, Mark, Node, Scalar, Spot, shown
from syncd.core.mapping.scalars import STANDARD, to_bytes, unknown_tag

_SIMPLE_NAME: Final = re.compile(r"[A-Za-z0-9,_-][A-Za-z0-9,_.-]*")
"""Names that are fine in every Consul version and hold one segment: nearly all."""
_LONG: Final = 100
"""Longer names are looked at each time: remembering them would take memory."""
_WORST_BYTES: Final = 4
"""Of one character in UTF-8."""


class Walk:
    """Walks one file; what it finds is in ``keys``, the patterns that hid some in ``secrets``.

    What it refuses is in the findings.

    ``merges`` says that the file may hold merge keys: looking for them in every mapping takes time.
    """

    def __init__(self, path: str, policy: Policy, prefix: str, findings: Findings, *, merges: bool = False) -> None:
        self.keys: dict[str, DesiredKey] = {}
        self.secrets: set[str] = set()
        self._path = path
        self._policy = policy
        self._secret = policy.secret if isinstance(policy.secret, bool) else None
        self._room = MAX_KEY_BYTES - len(join(prefix, "").encode())
        self._findings = findings
        self._merges = merges
        self._budget = Budget()
        self._bytes_left = MAX_YIELD_BYTES
        self._globs = [(glob, matcher((glob,))) for glob in policy.secret] if isinstance(policy.secret, tuple) else []

    def root(self, node: Map, key: str) -> None:
        """Take the root's keys, below the key that the file's own path makes."""
        try:
            self._collection(node, key, node.start_mark, 1)
        except Exhausted as error:
            self._findings.error(error.fault)

    def put(self, key: str, value: bytes, mark: Mark, *, secret: bool = False) -> None:
        """Take one key."""
        if len(key) * _WORST_BYTES > self._room and len(key.encode()) > self._room:
            raise Fault("key-too-long", mark, f"the key has more than {MAX_KEY_BYTES} bytes, the prefix counted")
        if len(value) > MAX_VALUE_BYTES:
            raise too_large(mark)
        if key in self.keys:
            first = self.keys[key]
            raise duplicate_key(key, mark, Spot(first.line - 1, first.column - 1))
        self._bytes_left -= len(value)
        if self._bytes_left < 0:
            raise Exhausted(mark, f"aliases expand the file's values to more than {MAX_YIELD_BYTES:,} bytes")
        secret = (self._hides(key) or secret) if self._secret is None else self._secret
        self.keys[key] = DesiredKey(value, self._path, mark.line + 1, mark.column + 1, secret, self._policy)

    def _hides(self, key: str) -> bool:
        """Tell whether a pattern over keys hides a key, and take note of those that do."""
        found = [glob for glob, matches in self._globs if matches(key)]
        self.secrets.update(found)
        return bool(found)

    def _mapping(self, node: Map, at: str, depth: int) -> None:
        names: dict[str, Mark] = {}
        for key, value in merged_pairs(node, self._budget) if self._merges else node.pairs():
            try:
                mark = key.start_mark
                name = key.value if isinstance(key, Scalar) and key.tag is None else key_text(key)
                if name in names:
                    raise duplicate_key(name, mark, names[name])
                names[name] = mark
                if len(name) > _LONG or not is_simple(name):
                    self._check(name, mark)
                self._value(value, f"{at}/{name}", mark, depth)
            except Fault as fault:
                self._findings.error(fault)

    def _check(self, name: str, mark: Mark) -> None:
        fault = key_fault(name)
        if fault:
            raise Fault("bad-key", mark, f"the key {shown(name)} holds {fault}")
        if not is_portable(name):
            self._findings.warn("unportable-key", mark, *unportable(name))

    def _value(self, node: Node, key: str, mark: Mark, depth: int) -> None:
        if not isinstance(node, Scalar):
            self._collection(node, key, mark, depth + 1)
        elif (value := to_bytes(node)) is not None:
            self.put(key, value, mark)
        else:
            hint = 'write "" for an empty value, or leave the key out'
            self._findings.warn("null", node.start_mark, f"null means that the key {shown(key)} is absent", hint)

    def _collection(self, node: Map | List, key: str, mark: Mark, depth: int) -> None:
        check_depth(depth, node.start_mark)
        self._budget.spend_nodes(len(node.items) + 1, node.start_mark)
        if node.tag not in (None, "!", "!json", STANDARD + ("map" if isinstance(node, Map) else "seq")):
            raise unknown_tag(node)
        if node.tag == "!json" or (isinstance(node, List) and self._policy.lists == "json"):
            writer = JsonWriter(self._findings, self._budget, self._hides if self._globs else None)
            self.put(key, writer.write(node, key), mark, secret=writer.secret)
        elif isinstance(node, Map):
            self._mapping(node, key, depth)
        else:
            self._list(node, key, depth)

    def _list(self, node: List, at: str, depth: int) -> None:
        for position, item in enumerate(node.items):
            try:
                self._value(item, f"{at}/{position}", item.start_mark, depth)
            except Fault as fault:
                self._findings.error(fault)


@lru_cache(maxsize=4096)
def is_simple(name: str) -> bool:
    """Tell whether a name needs no closer look."""
    return _SIMPLE_NAME.fullmatch(name) is not None


def key_fault(key: str) -> str | None:
    """Say what is wrong with a key, or a part of one."""
    return next(filter(None, map(segment_fault, key.split("/"))), None)


def unportable(key: str) -> tuple[str, str]:
    """Say why a key may not work everywhere, and what to do."""
    message = f"the key {shown(key)} holds characters that some Consul versions refuse"
    return message, "letters, digits and , _ . - work everywhere"
