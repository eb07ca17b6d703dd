"""Keys to files: the mapping's inverse, for taking over a store that has no tree yet.

Each first segment becomes one YAML file. A key of a single segment has no file to stand in, so it becomes an opaque
file of that name; where the name would make it something else, a rule in ``.syncd.yaml`` says that it is opaque.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from syncd.core.errors import SyncdError
from syncd.core.keys import MAX_KEY_BYTES, MAX_VALUE_BYTES
from syncd.core.mapping.file import EXTENSIONS
from syncd.core.mapping.quoting import write_key, write_value
from syncd.core.mapping.rules_file import RULES_FILE
from syncd.core.mapping.walk import key_fault
from syncd.core.text import count

_MAX_LEVELS: Final = 24
"""Of mappings in a file that is written; deeper keys stand there with slashes. Below what is read back."""
_MAX_NAME_BYTES: Final = 255
"""Of a file's name, on nearly every file system."""
_WRITTEN: Final = (".yaml", ".yml")
"""What a file's name ends in; the second where a key has the name that the first makes."""


class Unwritable(SyncdError):
    """Keys that no tree can hold; ``keys`` maps each to the reason."""

    def __init__(self, keys: dict[str, str]) -> None:
        listed = "\n".join(f"  {key!r}: {reason}" for key, reason in sorted(keys.items()))
        super().__init__(
            f"{count(len(keys), 'key')} cannot be written as a tree:\n{listed}",
            hint="delete or rename them in the store first",
        )
        self.keys = keys


@dataclass(slots=True)
class _Branch:
    """A key's value, if it has one, and what stands below it."""

    value: bytes | None = None
    below: dict[str, "_Branch"] = field(default_factory=dict)


def write_tree(entries: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Make files, by path, that map to exactly these keys (relative to the prefix) and values. Raises Unwritable."""
    pairs = list(entries)
    refused = unwritable(pairs)
    if refused:
        raise Unwritable(refused)
    root = _Branch()
    for key, value in sorted(pairs):
        _plant(root, key, value)
    files = {name: branch.value for name, branch in root.below.items() if branch.value is not None}
    blobs = [name for name in files if name.endswith(EXTENSIONS)]
    files |= {_file_of(name, files): _document(branch) for name, branch in root.below.items() if branch.below}
    return files | ({RULES_FILE: _rules(blobs)} if blobs else {})


def unwritable(entries: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """List the keys that no tree can hold, each with the reason."""
    pairs = list(entries)
    names = {key for key, _ in pairs}
    reasons = ((key, _reason(key, value, names)) for key, value in pairs)
    return {key: reason for key, reason in reasons if reason}


def _reason(key: str, value: bytes, names: set[str]) -> str:
    first, slash, _ = key.partition("/")
    if fault := key_fault(key):
        return f"it holds {fault}"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"it has more than {MAX_KEY_BYTES} bytes"
    if len(value) > MAX_VALUE_BYTES:
        return f"its value has more than {MAX_VALUE_BYTES:,} bytes"
    if first.startswith("."):
        return "files that begin with a dot are not part of a tree"
    if not slash and first.endswith(".md"):
        return "*.md files are not part of a tree"
    if len(first.encode()) + len(_WRITTEN[0]) > _MAX_NAME_BYTES:
        return "its first segment is too long for a file's name"
    if slash and all(first + extension in names for extension in _WRITTEN):
        return "other keys have the names that its file could have"
    return ""


def _plant(root: _Branch, key: str, value: bytes) -> None:
    branch = root
    for segment in key.split("/"):
        branch = branch.below.setdefault(segment, _Branch())
    branch.value = value


def _file_of(name: str, taken: dict[str, bytes]) -> str:
    return next(name + extension for extension in _WRITTEN if name + extension not in taken)


def _document(branch: _Branch) -> bytes:
    return ("\n".join(_lines(branch, "", "", 1)) + "\n").encode()


def _lines(branch: _Branch, above: str, indent: str, level: int) -> Iterator[str]:
    """Write a mapping's lines; ``above`` is what stands before a slash in each of its keys."""
    for segment, child in branch.below.items():
        name = above + segment
        if child.value is not None:
            yield f"{indent}{_entry(name, indent)} {write_value(child.value, indent + '  ')}"
        if not child.below:
            continue
        if child.value is not None or level >= _MAX_LEVELS:
            yield from _lines(child, f"{name}/", indent, level)
        else:
            yield f"{indent}{_entry(name, indent)}"
            yield from _lines(child, "", f"{indent}  ", level + 1)


def _entry(name: str, indent: str) -> str:
    return write_key(name).replace("\n", f"\n{indent}")


def _rules(blobs: list[str]) -> bytes:
    lines = ["# Files whose name looks like a document's, but that hold one value each.", "rules:"]
    for name in blobs:
        pattern = "/" + "".join(f"\\{char}" if char in "*?[]\\ " else char for char in name)
        lines += [f"  - match: {write_value(pattern.encode(), '')}", "    as: blob"]
    return ("\n".join(lines) + "\n").encode()
