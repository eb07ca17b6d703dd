"""What one scalar means: its text, null, or bytes.

Types are those of the YAML 1.2 core schema; outside JSON text they matter only where a tag asks for one.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Final

from syncd.core.mapping.nodes import Fault, Node, Scalar

STANDARD: Final = "tag:yaml.org,2002:"
NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
BOOLS: Final = {text: text.lower() for text in ("true", "True", "TRUE", "false", "False", "FALSE")}

INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?"
    r"(?:[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?))?",
    re.ASCII,
)


def kind_of(scalar: Scalar) -> str:
    """Name the type that a tag gives: ``str`` for ``!`` and for quoted text, "" where the text decides."""
    if scalar.tag is None:
        return "str" if scalar.style else ""
    if scalar.tag == "!":
        return "str"
    kind = scalar.tag.removeprefix(STANDARD)
    if kind == scalar.tag or kind not in _FITS:
        raise unknown_tag(scalar)
    if not _FITS[kind](scalar.value):
        hint = "change the tag, or drop it: text is kept as written"
        raise Fault("bad-tag", scalar.start_mark, f"the text does not fit its tag !!{kind}", hint)
    return kind


def to_bytes(scalar: Scalar) -> bytes | None:
    """Return what stands in the store for a scalar: its text, the bytes of ``!!binary``, None for null."""
    text = scalar.value
    if scalar.tag is None and (scalar.style or text not in NULLS) and "\0" not in text:
        return text.encode()  # nearly all: spared the longer way
    kind = kind_of(scalar)
    if kind == "binary":
        return b64decode("".join(text.split()))
    return None if kind == "null" or (not kind and text in NULLS) else text_of(scalar).encode()


def text_of(scalar: Scalar) -> str:
    """Return a scalar's text, or refuse a NUL in it: few programs read past one."""
    if "\0" in scalar.value:
        hint = "write bytes with !!binary, or keep them in a file of their own"
        raise Fault("nul", scalar.start_mark, "the text holds a NUL character", hint)
    return scalar.value


def unknown_tag(node: Node) -> Fault:
    """Refuse a tag that means nothing here, without naming it: an unquoted secret may begin with a bang."""
    hint = "syncd knows !json, !!binary and YAML's standard scalar tags; quote what is meant as text"
    return Fault("unknown-tag", node.start_mark, "the tag means nothing here", hint)


def _is_base64(text: str) -> bool:
    try:
        b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True


_FITS: Final[dict[str, Callable[[str], object]]] = {
    "str": lambda _: True,
    "null": NULLS.__contains__,
    "bool": BOOLS.__contains__,
    "int": INT.fullmatch,
    "float": lambda text: INT.fullmatch(text) or FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text),
    "timestamp": _TIMESTAMP.fullmatch,
    "binary": _is_base64,
}
