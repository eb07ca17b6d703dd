"""A whole tree: which files count, what each yields, and the desired state they make together."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from syncd.core.desired import Desired, DesiredKey, Policy
from syncd.core.digest import add
from syncd.core.mapping.file import read
from syncd.core.problems import Problem, TreeError
from syncd.core.rules import Rules

MAX_FILE_BYTES: Final = 32 * 1024 * 1024


class TreeEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of a tree, as git or the work tree lists it.

    ``path`` is relative to the tree's root, as the raw bytes that git keeps; ``oid`` names the content; ``size`` is in
    bytes, -1 where unknown.
    """

    path: bytes
    kind: Literal["file", "symlink", "submodule", "special"]
    oid: str
    size: int = -1


class Sorted(msgspec.Struct, frozen=True):
    """A tree's entries, sorted out: the files that count by path, the paths that the tree ignores, what is refused."""

    files: Mapping[str, TreeEntry]
    ignored: frozenset[str]
    problems: tuple[Problem, ...]


class ParsedFile(msgspec.Struct, frozen=True, weakref=True):
    """What one file yields: keys relative to the prefix, errors and warnings."""

    keys: Mapping[str, DesiredKey]
    problems: tuple[Problem, ...]


class Tree(msgspec.Struct, frozen=True):
    """A valid tree."""

    rules: Rules
    files: Mapping[str, ParsedFile]
    ignored: frozenset[str]
    desired: Desired
    warnings: tuple[Problem, ...]


class Update(msgspec.Struct, frozen=True):
    """A tree made from an earlier one; ``changed`` holds every key that differs between the two."""

    tree: Tree
    changed: frozenset[str]


class Kept(msgspec.Struct, frozen=True):
    """Tells why a key that the tree no longer names stays in the store."""

    rules: Rules
    ignored: frozenset[str]

    def __call__(self, key: str, path: str | None) -> Literal["", "prune", "ignored"]:
        """Answer by the file that once said the key, or by every file that could have."""
        candidates = [path] if path is not None else list(_candidates(key))
        if any(not self.rules.policy(candidate).prune for candidate in candidates):
            return "prune"
        return "ignored" if any(candidate in self.ignored for candidate in candidates) else ""


def _candidates(key: str) -> Iterable[str]:
    segments = key.split("/")
    yield key
    for end in range(len(segments), 0, -1):
        stem = "/".join(segments[:end])
        yield from (f"{stem}.{extension}" for extension in ("yaml", "yml", "json"))


def sort_out(entries: Iterable[TreeEntry], rules: Rules) -> Sorted:
    """Leave out dotfiles, ``*.md`` and what is ignored; refuse links, submodules, devices and bad names."""
    files, ignored, problems = {}, set(), []
    for entry in entries:
        if b"/." in b"/" + entry.path or entry.path.endswith(b".md"):
            continue
        path = entry.path.decode(errors="backslashreplace")
        if rules.ignores(path):
            ignored.add(path)
        elif entry.kind != "file":
            problems.append(Problem("error", entry.kind, path, 0, 0, f"a {entry.kind} in the tree"))
        else:
            files[path] = entry
    return Sorted(files, frozenset(ignored), tuple(problems))


def parse_file(path: str, data: bytes, policy: Policy, prefix: str) -> ParsedFile:
    """Turn one file's bytes into keys; never raises on bad input, never crashes on hostile input."""
    return ParsedFile(*read(path, data, policy, prefix))


def too_large(path: str, size: int) -> ParsedFile:
    """Refuse a file over ``MAX_FILE_BYTES`` that was not read at all."""
    message = f"the file has {size:,} bytes, over the limit of {MAX_FILE_BYTES:,}"
    return ParsedFile({}, (Problem("error", "file-too-large", path, 0, 0, message),))


def build(rules: Rules, found: Sorted, parsed: Mapping[str, ParsedFile]) -> Tree:
    """Put a whole tree together; raise TreeError with every error of every file, sorted by place."""
    keys: dict[str, DesiredKey] = {}
    problems = list(found.problems)
    for path, file in parsed.items():
        problems += file.problems
        for key in keys.keys() & file.keys.keys():
            problems.append(_collision(keys[key], file.keys[key], key))
        keys.update(file.keys)
    warnings = _warnings(problems)
    digest = add(0, ((key, value.value) for key, value in keys.items()))
    return Tree(rules, dict(parsed), found.ignored, Desired(keys, digest, Kept(rules, found.ignored)), warnings)


def _collision(one: DesiredKey, other: DesiredKey, key: str) -> Problem:
    message = f"{key}: also at {one.path}:{one.line}:{one.column}"
    return Problem("error", "duplicate-key", other.path, other.line, other.column, message)


def _warnings(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    ordered = sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column))
    errors = tuple(problem for problem in ordered if problem.severity == "error")
    if errors:
        raise TreeError(errors)
    return tuple(ordered)


def update(tree: Tree, gone: frozenset[str], found: Sorted, parsed: Mapping[str, ParsedFile]) -> Update:
    """Put a tree together from an earlier one in O(changed files): rules and ignore file must be unchanged.

    ``gone`` are paths that no longer exist; ``found`` and ``parsed`` cover only entries that were added or changed.
    """
    left = gone | found.ignored | found.files.keys()
    files = {path: file for path, file in tree.files.items() if path not in left} | dict(parsed)
    ignored = (tree.ignored - gone - found.files.keys()) | found.ignored
    whole = build(tree.rules, Sorted({}, ignored, found.problems), files)
    old, new = tree.desired.keys, whole.desired.keys
    touched = {key for path in left if path in tree.files for key in tree.files[path].keys}
    touched |= {key for file in parsed.values() for key in file.keys}
    changed = {key for key in touched if (key in old) != (key in new) or old[key].value != new[key].value}
    return Update(whole, frozenset(changed))
