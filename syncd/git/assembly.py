"""From entries to a core tree: reads contents, has them parsed, and keeps what each file yielded."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar
from weakref import WeakValueDictionary

import msgspec

from syncd.core.desired import Policy
from syncd.core.mapping.rules_file import IGNORE_FILE, RULES_FILE
from syncd.core.problems import Problem, TreeError
from syncd.core.rules import Rules
from syncd.core.tree import ParsedFile, Sorted, Tree, TreeEntry, Update, build, parse_file, sort_out, too_large, update
from syncd.git.trees import Difference

RULES: Final = RULES_FILE.encode()
IGNORE: Final = IGNORE_FILE.encode()

_FEW_FILES: Final = 50
_FEW_BYTES: Final = 64 * 1024
_PIECE_FILES: Final = 250
_PIECE_BYTES: Final = 1024 * 1024

Result = TypeVar("Result")


class Content(msgspec.Struct, frozen=True):
    """A file's content, None where it is over the size that is read."""

    size: int
    data: bytes | None


Reader = Callable[[Sequence[TreeEntry]], AsyncGenerator[Content, None]]
"""Yields the content of each entry, in order."""


class _Unparsed(msgspec.Struct, frozen=True):
    path: str
    oid: str
    policy: Policy
    content: Content


class Assembler:
    """Makes core trees under one prefix.

    What a file yielded is kept by path, content and policy for as long as some tree that somebody holds contains it;
    and, where the last tree was invalid, for what comes next, which is likely to be the same tree mended.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._known: WeakValueDictionary[tuple[str, str, Policy], ParsedFile] = WeakValueDictionary()
        self._of_invalid: Mapping[str, ParsedFile] = {}

    async def build(self, entries: Mapping[bytes, TreeEntry], read: Reader) -> Tree:
        """Make a tree from all its entries; raise TreeError where it is invalid."""
        rules = await _read_rules(entries, read)
        found = await _run(len(entries) <= _FEW_FILES, lambda: sort_out(entries.values(), rules))
        parsed = await self._parse(found, rules, read)
        few = len(parsed) <= _FEW_FILES
        return await self._keeping(parsed, _run(few, lambda: build(rules, found, parsed)))

    async def update(self, tree: Tree, difference: Difference, read: Reader) -> Update:
        """Make the next tree from an earlier one, and name the keys that differ; the caller sees to the rules."""
        found = sort_out(difference.changed, tree.rules)
        parsed = await self._parse(found, tree.rules, read)
        gone = frozenset(path.decode(errors="surrogateescape") for path in difference.gone)
        few = len(parsed) + len(gone) <= _FEW_FILES
        return await self._keeping(parsed, _run(few, lambda: update(tree, gone, found, parsed)))

    async def _keeping(self, parsed: Mapping[str, ParsedFile], make: Awaitable[Result]) -> Result:
        try:
            made = await make
        except TreeError:
            self._of_invalid = parsed
            raise
        self._of_invalid = {}
        return made

    async def _parse(self, found: Sorted, rules: Rules, read: Reader) -> dict[str, ParsedFile]:
        parsed: dict[str, ParsedFile] = {}
        unknown: list[tuple[str, TreeEntry, Policy]] = []
        for path, entry in found.files.items():
            policy = rules.policy(path)
            known = self._known.get((path, entry.oid, policy))
            if known is None:
                unknown.append((path, entry, policy))
            else:
                parsed[path] = known
        async with aclosing(_pieces(unknown, read)) as pieces:
            async for piece in pieces:
                few = len(piece) <= _FEW_FILES and sum(file.content.size for file in piece) <= _FEW_BYTES
                results = await _run(few, partial(_parse_all, piece, self._prefix))
                for file, result in zip(piece, results, strict=True):
                    parsed[file.path] = self._known[file.path, file.oid, file.policy] = result
        return parsed


async def _run(few: bool, work: Callable[[], Result]) -> Result:
    """Do little at once and much in a thread, so that the event loop goes on."""
    return work() if few else await asyncio.to_thread(work)


async def _pieces(
    files: Sequence[tuple[str, TreeEntry, Policy]], read: Reader
) -> AsyncGenerator[list[_Unparsed], None]:
    """Read files in pieces that bound the memory for what is read but not parsed yet."""
    piece: list[_Unparsed] = []
    held = 0
    async with aclosing(read([entry for _, entry, _ in files])) as contents:
        waiting = iter(files)
        async for content in contents:
            path, entry, policy = next(waiting)
            piece.append(_Unparsed(path, entry.oid, policy, content))
            held += len(content.data or b"")
            if len(piece) >= _PIECE_FILES or held >= _PIECE_BYTES:
                yield piece
                piece, held = [], 0
    if piece:
        yield piece


def _parse_all(files: Sequence[_Unparsed], prefix: str) -> list[ParsedFile]:
    return [_parse_one(file, prefix) for file in files]


def _parse_one(file: _Unparsed, prefix: str) -> ParsedFile:
    if file.content.data is None:
        return too_large(file.path, file.content.size)
    return parse_file(file.path, file.content.data, file.policy, prefix)


async def _read_rules(entries: Mapping[bytes, TreeEntry], read: Reader) -> Rules:
    entries_of_rules = [entries[name] for name in (RULES, IGNORE) if name in entries]
    problems = tuple(problem for entry in entries_of_rules for problem in _refuse_kind(entry))
    if problems:
        raise TreeError(problems)
    async with aclosing(read(entries_of_rules)) as contents:
        texts = [content async for content in contents]
    found = dict(zip((entry.path for entry in entries_of_rules), texts, strict=True))
    large = [too_large(path.decode(), content.size) for path, content in found.items() if content.data is None]
    if large:
        raise TreeError(tuple(problem for file in large for problem in file.problems))
    return Rules.parse(*(found[name].data if name in found else None for name in (RULES, IGNORE)))


def _refuse_kind(entry: TreeEntry) -> Iterable[Problem]:
    if entry.kind != "file":
        yield Problem("error", entry.kind, entry.path.decode(), 0, 0, f"a {entry.kind} where a file belongs")
