"""One file: expanded or opaque, readable or not."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

from syncd.core.desired import DesiredKey, Policy
from syncd.core.keys import is_portable
from syncd.core.mapping.compose import compose, mark_at
from syncd.core.mapping.findings import Findings
from syncd.core.mapping.json_reader import read_json
from syncd.core.mapping.nodes import FILE, Fault, Map, Node, Spot
from syncd.core.mapping.walk import Walk, key_fault, unportable
from syncd.core.problems import Problem

EXTENSIONS: Final = (".yaml", ".yml", ".json")
"""Of files that are expanded; the case matters."""

_CONFLICT: Final = re.compile(rb"^(?:<<<<<<< |=======\r?$|>>>>>>> )", re.MULTILINE)
_AMBIGUOUS: Final = {
    "\x85".encode(): "\\N",
    "\u2028".encode(): "\\L",
    "\u2029".encode(): "\\P",
    "\ufeff".encode(): "\\uFEFF",
}
"""Line breaks in YAML 1.1 but text in 1.2, and the byte order mark; with what to write instead."""


def read(
    path: str, data: bytes, policy: Policy, prefix: str
) -> tuple[dict[str, DesiredKey], tuple[Problem, ...], frozenset[str]]:
    """Turn one file into keys, problems and the patterns over keys that hid some; never raises."""
    expanded = policy.expand and path.endswith(EXTENSIONS)
    text = data.removeprefix(BOM_UTF8) if expanded else b""
    findings = Findings(path, text, hidden=policy.secret is not False)
    walk = Walk(path, policy, prefix, findings, merges=b"<<" in text)
    try:
        if expanded:
            _expand(path, text, walk, findings)
        else:
            walk.put(_checked(path, findings), data, Spot(0, 0))
    except Fault as fault:
        findings.error(fault)
    return walk.keys, findings.problems, frozenset(walk.secrets)


def nodes_of(path: str, data: bytes) -> Node | None:
    """Read a file's nodes; None if it holds nothing. Raises Fault."""
    check_text(data)
    try:
        if path.endswith(".json"):
            return read_json(data.decode())
        _check_characters(data)
        return compose(data)
    except Fault as fault:
        if _CONFLICT.search(data):
            raise Fault(fault.code, fault.mark, fault.message, "finish the merge: conflict markers are left") from fault
        raise


def _expand(path: str, data: bytes, walk: Walk, findings: Findings) -> None:
    key = _checked(path.rpartition(".")[0], findings)
    node = nodes_of(path, data)
    if node is None:
        findings.warn("empty-file", FILE, "the file holds no keys", "delete it, or add keys")
    elif isinstance(node, Map):
        walk.root(node, key)
    else:
        hint = "put it under a key, or keep the whole file as one value with 'as: blob' in .syncd.yaml"
        raise Fault("not-a-mapping", node.start_mark, "the file's root must be a mapping", hint)


def _checked(key: str, findings: Findings) -> str:
    fault = key_fault(key)
    if fault:
        raise Fault("bad-key", FILE, f"the file's path holds {fault}", "rename it")
    if not is_portable(key):
        findings.warn("unportable-key", FILE, *unportable(key))
    return key


def check_text(data: bytes) -> None:
    """Refuse what is not text in UTF-8. Raises Fault."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        utf16 = data.startswith((BOM_UTF16_BE, BOM_UTF16_LE))
        message = "the file is UTF-16, not UTF-8" if utf16 else f"byte {error.start + 1:,} of the file is not UTF-8"
        raise Fault("not-utf-8", mark_at(data, error.start), message, "save it as UTF-8") from error
    if b"\0" in data:
        mark = mark_at(data, data.index(b"\0"))
        raise Fault("nul", mark, "the file holds a NUL byte", "save it as UTF-8, or use !!binary for bytes")


def _check_characters(data: bytes) -> None:
    """Refuse what libyaml, which reads YAML 1.1, would change or drop silently."""
    for raw, escape in () if data.isascii() else _AMBIGUOUS.items():
        if raw in data:
            message = f"the character U+{ord(raw.decode()):04X} is read differently by different versions of YAML"
            hint = f'write it as "{escape}" in double quotes'
            raise Fault("ambiguous-character", mark_at(data, data.index(raw)), message, hint)
