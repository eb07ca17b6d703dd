"""A whole tree: which files count, what each yields, and the desired state they make together."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from syncd.core.desired import Desired, DesiredKey, Policy
from syncd.core.digest import add, subtract
from syncd.core.mapping.file import EXTENSIONS, read
from syncd.core.mapping.nodes import Spot
from syncd.core.mapping.rules_file import IGNORE_FILE, RULES_FILE
from syncd.core.mapping.walk import key_fault
from syncd.core.overlay import Overlay
from syncd.core.problems import Problem, TreeError
from syncd.core.rules import FILES as RULE_FILES
from syncd.core.rules import Rules

MAX_FILE_BYTES: Final = 32 * 1024 * 1024

_KINDS: Final = {"symlink": "a symbolic link", "submodule": "a submodule", "special": "a device, pipe or socket"}


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
    """What one file yields: keys relative to the prefix, errors and warnings.

    ``secrets`` are the patterns over keys that hid something in it.
    """

    keys: Mapping[str, DesiredKey]
    problems: tuple[Problem, ...]
    secrets: frozenset[str] = frozenset()


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
        if path is not None:
            return self._because_of(path)
        reasons = {self._because_of(candidate) for candidate in possible_files(key)}
        return "prune" if "prune" in reasons else "ignored" if "ignored" in reasons else ""

    def _because_of(self, path: str) -> Literal["", "prune", "ignored"]:
        if path in self.ignored:
            return "ignored"
        return "" if self.rules.policy(path).prune else "prune"


def possible_files(key: str) -> Iterator[str]:
    """List every file that could say a key."""
    yield key
    segments = key.split("/")
    for end in range(len(segments), 0, -1):
        yield from ("/".join(segments[:end]) + extension for extension in EXTENSIONS)


def sort_out(entries: Iterable[TreeEntry], rules: Rules) -> Sorted:
    """Leave out dotfiles, ``*.md`` and what is ignored; refuse links, submodules, devices and bad names."""
    files: dict[str, TreeEntry] = {}
    ignored: set[str] = set()
    problems: list[Problem] = []
    for entry in entries:
        path = entry.path.decode(errors="surrogateescape")
        if _left_out(path):
            problems += _rules_problems(path, entry)
        elif rules.ignores(path):
            ignored.add(_shown(path))
        elif problem := _refusal(path, entry):
            problems.append(problem)
        else:
            files[path] = entry
    return Sorted(files, frozenset(ignored), tuple(problems))


def _left_out(path: str) -> bool:
    return path.startswith(".") or "/." in path or path.endswith(".md")


def _rules_problems(path: str, entry: TreeEntry) -> Iterator[Problem]:
    if path in RULE_FILES and entry.kind != "file":
        hint = "make it an ordinary file"
        yield Problem("error", entry.kind, path, 0, 0, f"syncd's own rules in {_KINDS[entry.kind]}", hint)
    elif path.rpartition("/")[2] in RULE_FILES and path not in RULE_FILES:
        hint = "move it there, or delete it"
        yield Problem("warning", "misplaced-rules", _shown(path), 0, 0, "only read at the tree's root", hint)


def _refusal(path: str, entry: TreeEntry) -> Problem | None:
    if entry.kind != "file":
        hint = f"name it in {IGNORE_FILE}, or put a file in its place"
        return Problem("error", entry.kind, _shown(path), 0, 0, f"{_KINDS[entry.kind]} is not followed", hint)
    if not path.isascii() and any(map(_is_escaped, path)):
        return Problem("error", "bad-name", _shown(path), 0, 0, "the file's name is not UTF-8", "rename it")
    if not path.isprintable() and (fault := key_fault(path)):
        return Problem("error", "bad-name", _shown(path), 0, 0, f"the file's name holds {fault}", "rename it")
    return None


def _is_escaped(char: str) -> bool:
    return "\udc80" <= char <= "\udcff"


def _shown(path: str) -> str:
    """Escape what a terminal should not get."""
    if path.isprintable():
        return path
    return "".join(char if char.isprintable() else _escape(char) for char in path)


def _escape(char: str) -> str:
    return f"\\x{ord(char) & 0xFF:02x}" if _is_escaped(char) else ascii(char)[1:-1]


def parse_file(path: str, data: bytes, policy: Policy, prefix: str) -> ParsedFile:
    """Turn one file's bytes into keys; never raises on bad input, never crashes on hostile input."""
    if len(data) > MAX_FILE_BYTES:
        return too_large(path, len(data))
    return ParsedFile(*read(path, data, policy, prefix))


def too_large(path: str, size: int) -> ParsedFile:
    """Refuse a file over ``MAX_FILE_BYTES`` that was not read at all."""
    message = f"the file has {size:,} bytes, more than the {MAX_FILE_BYTES:,} that syncd reads"
    return ParsedFile({}, (Problem("error", "file-too-large", path, 0, 0, message, "split it"),))


def build(rules: Rules, found: Sorted, parsed: Mapping[str, ParsedFile]) -> Tree:
    """Put a whole tree together; raise TreeError with every error of every file, sorted by place."""
    keys: dict[str, DesiredKey] = {}
    problems = [*found.problems, *_join(keys, parsed), *_idle(rules, parsed, whole=True)]
    warnings = _warnings(problems)
    digest = add(0, ((key, said.value) for key, said in keys.items()))
    return Tree(rules, dict(parsed), found.ignored, Desired(keys, digest, Kept(rules, found.ignored)), warnings)


def update(tree: Tree, gone: frozenset[str], found: Sorted, parsed: Mapping[str, ParsedFile]) -> Update:
    """Put a tree together from an earlier one in O(changed files): rules and ignore file must be unchanged.

    ``gone`` are paths that no longer exist; ``found`` and ``parsed`` cover only entries that were added or changed.
    That a rule has become idle is noticed by the next full build, as it takes a look at every file.
    """
    replaced = gone | found.ignored | found.files.keys()
    if not replaced and not found.problems:
        return Update(tree, frozenset())
    files, keys, new = Overlay.of(tree.files), Overlay.of(tree.desired.keys), dict[str, DesiredKey]()
    old = {key: keys[key] for path in replaced & files.keys() for key in files.pop(path).keys}
    stale = replaced | {problem.path for problem in found.problems}
    problems = [warning for warning in tree.warnings if warning.path not in stale]
    still_idle = _idle(tree.rules, parsed, whole=False)
    problems = [warning for warning in problems if warning.path != RULES_FILE or warning in still_idle]
    problems += [*found.problems, *_join(new, parsed)]
    problems += [_collision(key, keys[key], said) for key, said in new.items() if key not in old and key in keys]
    warnings = _warnings(problems)
    changed = frozenset(key for key in old.keys() | new.keys() if _differs(old.get(key), new.get(key)))
    digest = subtract(tree.desired.digest, ((key, old[key].value) for key in changed & old.keys()))
    digest = add(digest, ((key, new[key].value) for key in changed & new.keys()))
    ignored = (tree.ignored - gone - found.files.keys()) | found.ignored
    desired = Desired(keys, digest, Kept(tree.rules, ignored))
    files.update(parsed)
    for key in old.keys() - new.keys():
        del keys[key]
    keys.update((key, said) for key, said in new.items() if old.get(key) != said)
    return Update(Tree(tree.rules, files, ignored, desired, warnings), changed)


def _join(keys: dict[str, DesiredKey], parsed: Mapping[str, ParsedFile]) -> list[Problem]:
    """Add the keys of files; return their problems and where two files yield one key."""
    problems: list[Problem] = []
    for _, file in sorted(parsed.items()):
        problems += file.problems
        problems += [_collision(key, keys[key], file.keys[key]) for key in file.keys.keys() & keys.keys()]
        keys.update(file.keys)
    return problems


def _collision(key: str, one: DesiredKey, other: DesiredKey) -> Problem:
    first, second = sorted((one, other), key=lambda said: (said.path, said.line, said.column))
    message = f"the key {key!r} stands also at {first.path}:{first.line}:{first.column}"
    return Problem("error", "duplicate-key", second.path, second.line, second.column, message, "keep one")


def _idle(rules: Rules, parsed: Mapping[str, ParsedFile], *, whole: bool) -> list[Problem]:
    """Warn of rules that match none of these files, and of patterns over keys that hide nothing in them.

    ``whole`` says that these are all files, so that a rule without any needs no second warning.
    """
    problems: list[Problem] = []
    for rule in rules.rules:
        files = [file for path, file in parsed.items() if rule.matches(path)]
        # That a rule outlives its file is what "prune: false" is for.
        if not files and (rule.prune is not False or rule.secret):
            hint = "paths are relative to the tree's root: brain.yaml, not config/mordomo/brain.yaml"
            problems.append(_warning("idle-rule", rule.place, f"no file matches {rule.match!r}", hint))
        used = frozenset[str]().union(*(file.secrets for file in files))
        for glob, place in rule.secret_globs if files or not whole else ():
            if glob not in used:
                hint = "keys are relative to the tree, without a file's extension: brain/api_key for brain.yaml"
                problems.append(_warning("idle-secret", place, f"no key matches {glob!r}, so it hides nothing", hint))
    return problems


def _warning(code: str, place: Spot, message: str, hint: str) -> Problem:
    return Problem("warning", code, RULES_FILE, place.line + 1, place.column + 1, message, hint)


def _differs(old: DesiredKey | None, new: DesiredKey | None) -> bool:
    if old is None or new is None:
        return True
    return (old.value, old.secret, old.policy, old.path) != (new.value, new.secret, new.policy, new.path)


def _warnings(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems if all are warnings; raise TreeError with the errors otherwise."""
    ordered = sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column, problem.message))
    errors = tuple(problem for problem in ordered if problem.severity == "error")
    if errors:
        raise TreeError(errors)
    return tuple(ordered)
