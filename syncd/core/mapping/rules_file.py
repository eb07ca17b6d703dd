"""Reads ``.syncd.yaml`` and ``.syncdignore``; everything that is wrong with them is found at once."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, Final, Literal

import msgspec

from syncd.core.mapping.file import check_text, nodes_of
from syncd.core.mapping.findings import Findings
from syncd.core.mapping.globs import matcher, pattern_fault
from syncd.core.mapping.json_text import duplicate_key
from syncd.core.mapping.nodes import Fault, List, Map, Mark, Node, Scalar, Spot
from syncd.core.mapping.scalars import BOOLS, kind_of
from syncd.core.problems import Problem

RULES_FILE: Final = ".syncd.yaml"
IGNORE_FILE: Final = ".syncdignore"
_PATTERN_HINT: Final = "patterns are written as in .gitignore"


class Rule(msgspec.Struct, frozen=True):
    """What one rule says of the files that it matches; None where it says nothing."""

    match: str
    expand: bool | None = None
    lists: Literal["json", "index"] | None = None
    prune: bool | None = None
    drift: Literal["enforce", "report"] | None = None
    secret: bool | tuple[str, ...] | None = None
    place: Spot = Spot(0, 0)
    secret_places: tuple[Spot, ...] = ()

    @property
    def secret_globs(self) -> Iterator[tuple[str, Spot]]:
        """List the patterns over keys, each with its place."""
        return zip(self.secret if isinstance(self.secret, tuple) else (), self.secret_places, strict=True)

    def matches(self, path: str) -> bool:
        """Tell whether the rule is for a file."""
        return matcher((self.match,))(path)

    @property
    def said(self) -> dict[str, Any]:
        """The policy's fields that this rule sets."""
        fields = {name: getattr(self, name) for name in ("expand", "lists", "prune", "drift", "secret")}
        return {name: value for name, value in fields.items() if value is not None}


def read_rules(data: bytes) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    """Read ``.syncd.yaml``; never raises."""
    text = data.removeprefix(BOM_UTF8)
    reader = _Reader(Findings(RULES_FILE, text, hidden=False))
    return reader.read(text), reader.findings.problems


def read_ignore(data: bytes) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Read ``.syncdignore``; never raises."""
    text = data.removeprefix(BOM_UTF8)
    findings = Findings(IGNORE_FILE, text, hidden=False)
    patterns: list[str] = []
    try:
        check_text(text)
        for number, line in enumerate(text.decode().split("\n")):
            _ignore_line(number, line.removesuffix("\r"), patterns, findings)
    except Fault as fault:
        findings.error(fault)
    return tuple(patterns), findings.problems


def _ignore_line(number: int, line: str, patterns: list[str], findings: Findings) -> None:
    if not line.strip() or line.startswith("#"):
        return
    fault = pattern_fault(line.removeprefix("!"))
    if fault:
        findings.error(Fault("bad-pattern", Spot(number, 0), fault, _PATTERN_HINT))
    else:
        patterns.append(line)


class _Reader:
    """Reads the rules; a field that is wrong is noted and left out, so that the others are looked at too."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def read(self, data: bytes) -> tuple[Rule, ...]:
        """Return the rules that are right."""
        try:
            node = nodes_of(RULES_FILE, data)
        except Fault as fault:
            self.findings.error(fault)
            return ()
        found: list[Rule | None] = []
        for name, value in self._fields(node, "the file", ("rules",)) if node else ():
            if isinstance(value, List):
                found += [self._rule(item) for item in value.items]
            else:
                self._refuse(value, f"{name!r} must be a list of rules", "rules: [{match: GLOB, ...}]")
        return tuple(rule for rule in found if rule)

    def _rule(self, node: Node) -> Rule | None:
        said: dict[str, Any] = {}
        named = not isinstance(node, Map)
        for name, value in self._fields(node, "a rule", tuple(_FIELDS)):
            named = named or name == "match"
            try:
                field, read = _FIELDS[name]
                said[field] = read(value)
                said |= _places(name, value)
            except Fault as fault:
                self.findings.error(fault)
        if not named:
            self._refuse(node, "a rule needs 'match'", "match: GLOB says which files it is for")
        return Rule(**said) if "match" in said else None

    def _fields(self, node: Node, what: str, known: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
        if not isinstance(node, Map):
            self._refuse(node, f"{what} must be a mapping", f"it may hold: {', '.join(known)}")
            return
        seen: dict[str, Mark] = {}
        for key, value in node.pairs():
            name = key.value if isinstance(key, Scalar) else ""
            if name in seen:
                self.findings.error(duplicate_key(name, key.start_mark, seen[name]))
            elif name == "schema":
                self._refuse(key, "'schema' is not offered by this version of syncd yet", "leave it out")
            elif name not in known:
                self._refuse(key, f"unknown field {name!r}", _suggest(name, known))
            else:
                yield name, value
            seen[name] = key.start_mark

    def _refuse(self, node: Node, message: str, hint: str) -> None:
        self.findings.error(Fault("bad-rule", node.start_mark, message, hint))


def _suggest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(known)}"


def _text(node: Node) -> str:
    if not isinstance(node, Scalar) or kind_of(node) not in ("", "str"):
        raise Fault("bad-rule", node.start_mark, "this must be text")
    return node.value


def _glob(node: Node) -> str:
    text = _text(node)
    fault = pattern_fault(text)
    if fault:
        raise Fault("bad-pattern", node.start_mark, fault, _PATTERN_HINT)
    return text


def _one_of(*options: str) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        text = _text(node)
        if text not in options:
            raise Fault("bad-rule", node.start_mark, f"this must be {' or '.join(options)}", _suggest(text, options))
        return text

    return read


def _bool(node: Node) -> bool:
    if isinstance(node, Scalar) and kind_of(node) in ("", "bool") and node.value in BOOLS:
        return BOOLS[node.value] == "true"
    raise Fault("bad-rule", node.start_mark, "this must be true or false")


def _expand(node: Node) -> bool:
    return _one_of("expand", "blob")(node) == "expand"


def _secret(node: Node) -> bool | tuple[str, ...]:
    if isinstance(node, List):
        return tuple(_glob(item) for item in node.items)
    if isinstance(node, Scalar) and node.value in BOOLS:
        return _bool(node)
    raise Fault("bad-rule", node.start_mark, "this must be true, false or a list of patterns over keys")


def _places(name: str, node: Node) -> dict[str, Any]:
    if name == "match":
        return {"place": _spot(node)}
    return {"secret_places": tuple(map(_spot, node.items))} if isinstance(node, List) else {}


def _spot(node: Node) -> Spot:
    return Spot(node.start_mark.line, node.start_mark.column)


_FIELDS: Final[dict[str, tuple[str, Callable[[Node], object]]]] = {
    "match": ("match", _glob),
    "as": ("expand", _expand),
    "lists": ("lists", _one_of("json", "index")),
    "prune": ("prune", _bool),
    "drift": ("drift", _one_of("enforce", "report")),
    "secret": ("secret", _secret),
}
