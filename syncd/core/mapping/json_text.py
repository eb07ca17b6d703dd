"""What stays whole: a node as compact JSON text, in the order written.

Numbers keep their literal where JSON allows it. Nothing is read into Python's numbers, so nothing is rounded.
"""

import re
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Final

from syncd.core.keys import MAX_VALUE_BYTES
from syncd.core.mapping.findings import Findings
from syncd.core.mapping.limits import Budget, check_depth
from syncd.core.mapping.merge import merged_pairs
from syncd.core.mapping.nodes import Fault, List, Map, Mark, Node, Scalar, shown
from syncd.core.mapping.scalars import BOOLS, FLOAT, INT, NOT_FINITE, NULLS, STANDARD, kind_of, text_of, unknown_tag

_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_PARTS: Final = re.compile(r"([-+]?)([0-9]*)(?:\.([0-9]*))?([eE][-+]?[0-9]+)?")
_MAX_BASED_DIGITS: Final = 1000
"""Digits of a hexadecimal or octal number: turning them into decimal takes time that grows with their square."""

_Keys = tuple[str, str]
"""The key that a part would have alone: without the numbers of lists, and with them."""


class JsonWriter:
    """Writes one value; gives up as soon as it is too large for the store.

    ``hides`` is asked of the key that each part would have if it stood alone, a list's items with their number and
    without; one that it hides makes the whole value ``secret``.
    """

    def __init__(self, findings: Findings, budget: Budget, hides: Callable[[str], bool] | None = None) -> None:
        self.secret = False
        self._findings = findings
        self._budget = budget
        self._hides = hides
        self._parts: list[str] = []
        self._length = 0

    def write(self, node: Node, key: str = "") -> bytes:
        """Return the JSON text of what stands at a key. Raises Fault."""
        self._value(node, 0, (key, key))
        return "".join(self._parts).encode()

    def _value(self, node: Node, depth: int, keys: _Keys) -> None:
        check_depth(depth, node.start_mark)
        if isinstance(node, Scalar):
            self._add(self._literal(node), node.start_mark)
            return
        self._budget.spend_nodes(len(node.items) + 1, node.start_mark)
        if node.tag not in (None, "!", "!json", STANDARD + ("map" if isinstance(node, Map) else "seq")):
            raise unknown_tag(node)
        if isinstance(node, Map):
            self._map(node, depth, keys)
        else:
            self._list(node, depth, keys)

    def _map(self, node: Map, depth: int, keys: _Keys) -> None:
        names: dict[str, Mark] = {}
        for key, value in merged_pairs(node, self._budget, depth):
            name = key_text(key)
            if name in names:
                raise duplicate_key(name, key.start_mark, names[name])
            self._add(f"{',' if names else '{'}{encode_basestring(name)}:", key.start_mark)
            names[name] = key.start_mark
            self._value(value, depth + 1, self._below(keys, name, item=False))
        self._add("}" if names else "{}", node.start_mark)

    def _list(self, node: List, depth: int, keys: _Keys) -> None:
        for position, item in enumerate(node.items):
            self._add("," if position else "[", item.start_mark)
            self._value(item, depth + 1, self._below(keys, str(position), item=True))
        self._add("]" if node.items else "[]", node.start_mark)

    def _below(self, keys: _Keys, name: str, *, item: bool) -> _Keys:
        if self._hides is None:
            return keys
        plain, numbered = keys[0] if item else f"{keys[0]}/{name}", f"{keys[1]}/{name}"
        for key in {plain, numbered}:
            self.secret |= self._hides(key)
        return plain, numbered

    def _add(self, part: str, mark: Mark) -> None:
        self._parts.append(part)
        self._length += len(part)
        if self._length > MAX_VALUE_BYTES:
            raise too_large(mark)

    def _literal(self, scalar: Scalar) -> str:
        kind = kind_of(scalar) or _kind_of_plain(scalar.value)
        if kind == "binary":
            raise Fault("binary-in-json", scalar.start_mark, "JSON has no way to hold !!binary", "write base64 as text")
        if kind == "null":
            return "null"
        if kind == "bool":
            return BOOLS[scalar.value]
        if kind in ("int", "float"):
            return self._number(scalar)
        return str(encode_basestring(text_of(scalar)))

    def _number(self, scalar: Scalar) -> str:
        text = scalar.value
        if _JSON_NUMBER.fullmatch(text):
            return text
        if NOT_FINITE.fullmatch(text):
            raise Fault(
                "not-a-json-number",
                scalar.start_mark,
                "JSON has no infinity and no not-a-number",
                "quote it to keep the text",
            )
        if text.startswith(("0x", "0o")):
            return _decimal(scalar)
        sign, whole, fraction, exponent = _PARTS.fullmatch(text).groups()  # type: ignore[union-attr]  # FLOAT matched
        digits = whole.lstrip("0") or "0"
        if len(digits) < len(whole):
            message = "YAML 1.2 reads a number with leading zeros as decimal"
            self._findings.warn("leading-zero", scalar.start_mark, message, "quote it to keep the text")
        point = "" if fraction is None else f".{fraction or '0'}"
        return f"{sign.rstrip('+')}{digits}{point}{exponent or ''}"


def _decimal(scalar: Scalar) -> str:
    if len(scalar.value) > _MAX_BASED_DIGITS:
        message = f"a number of more than {_MAX_BASED_DIGITS} hexadecimal or octal digits"
        raise Fault("not-a-json-number", scalar.start_mark, message, "quote it to keep the text")
    return str(int(scalar.value, 0))


def _kind_of_plain(text: str) -> str:
    if text in NULLS:
        return "null"
    if text in BOOLS:
        return "bool"
    if INT.fullmatch(text) or FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text):
        return "float"
    return "str"


def key_text(key: Node) -> str:
    """Return a mapping key's text, whatever type YAML may see in it. Raises Fault."""
    if not isinstance(key, Scalar):
        hint = "write it as text, or keep the whole file as one value with 'as: blob' in .syncd.yaml"
        raise Fault("complex-key", key.start_mark, "a mapping's key must be text", hint)
    if kind_of(key) == "binary":
        raise Fault("unknown-tag", key.start_mark, "a key is text and cannot be !!binary")
    return text_of(key)


def duplicate_key(name: str, mark: Mark, first: Mark) -> Fault:
    """Refuse a key that the same mapping, or another place in the file, has already given."""
    return Fault(
        "duplicate-key", mark, f"the key {shown(name)} stands also at {first.line + 1}:{first.column + 1}", "keep one"
    )


def too_large(mark: Mark) -> Fault:
    """Refuse a value that the store would not take."""
    return Fault("value-too-large", mark, f"the value has more than {MAX_VALUE_BYTES:,} bytes", "Consul holds 512 KiB")
