"""Walking git's trees: what a folder holds, and what differs between two, by reading only trees that differ."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from syncd.core.problems import Problem, TreeError
from syncd.core.tree import TreeEntry
from syncd.git.objects import Found, Objects
from syncd.git.raw import Entries, Malformed, RawEntry, parse_tree

MAX_ENTRIES: Final = 500_000
"""Files in a tree: far above use, far below what a few nested trees that repeat each other can amount to."""
MAX_PATH_BYTES: Final = 4096
_REMEMBERED: Final = 10_000
"""So many entries of the trees read last are kept, about 3 MB: the next commit is compared with them."""

_FOLDERS: Final = (b"40000", b"040000")
_KINDS: Final[Mapping[bytes, Literal["file", "symlink", "submodule"]]] = {
    b"100644": "file",
    b"100755": "file",
    b"100664": "file",
    b"120000": "symlink",
    b"160000": "submodule",
}


class Difference(msgspec.Struct, frozen=True):
    """What leads from one tree to another: paths that are gone, entries that were added or changed."""

    gone: frozenset[bytes]
    changed: tuple[TreeEntry, ...]

    @property
    def paths(self) -> frozenset[bytes]:
        """Every path that differs."""
        return self.gone | {entry.path for entry in self.changed}


class _Folder(msgspec.Struct, frozen=True):
    """A folder to compare; "" where one side has none."""

    path: bytes
    old: str
    new: str


class Trees:
    """Reads a repository's tree objects."""

    def __init__(self, objects: Objects, oid_bytes: int) -> None:
        self._objects = objects
        self._oid_bytes = oid_bytes
        self._known: dict[str, Entries] = {}
        self._known_entries = 0

    async def find(self, commit: str, root: str, path: bytes) -> str | None:
        """Return the name of the folder at a path below a commit's ``root``, None if there is none."""
        asked = path.decode(errors="replace")
        if path and asked.isprintable():  # git reads names line by line
            answer = await self._objects.one(f"{commit}:{asked}")
            if isinstance(answer, Found) and answer.kind == "tree" and answer.content is not None:
                self._remember(answer.oid, answer.content)
                return answer.oid
        return await self._walk(root, path)  # which tells a folder that is not there from an object that is missing

    async def _walk(self, root: str, path: bytes) -> str | None:
        oid = root
        for segment in path.split(b"/") if path else ():
            entry = self._parse(oid, await self._objects.get(oid, "tree")).get(segment)
            oid = _folder(entry)
            if not oid:
                return None
        return oid

    async def list(self, root: str) -> dict[bytes, TreeEntry]:
        """Return every entry below a tree, by its path."""
        return {entry.path: entry for entry in (await self.compare("", root)).changed}

    async def compare(self, old: str, new: str) -> Difference:
        """Tell what leads from one tree ("": an empty one) to another; at most one round trip for each level."""
        gone: set[bytes] = set()
        changed: list[TreeEntry] = []
        level = [_Folder(b"", old, new)] if old != new else []
        while level:
            contents = await self._read([oid for folder in level for oid in (folder.old, folder.new) if oid])
            below: list[_Folder] = []
            for folder in level:
                before, after = contents.get(folder.old, {}), contents.get(folder.new, {})
                for name in _differing(before, after):
                    _sort(folder.path + name, before.get(name), after.get(name), gone, changed, below)
            _demand_bounds(len(gone) + len(changed) + len(below), below)
            level = below
        return Difference(frozenset(gone), tuple(changed))

    async def _read(self, oids: Sequence[str]) -> dict[str, Entries]:
        contents = {oid: self._known[oid] for oid in oids if oid in self._known}
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in contents]
        answers = [answer async for answer in self._objects.read(wanted)]
        read = [self._objects.demand(answer, "tree") for answer in answers]
        return contents | {oid: self._remember(oid, content) for oid, content in zip(wanted, read, strict=True)}

    def _remember(self, oid: str, content: bytes) -> Entries:
        """Parse a tree and keep it for the next comparison, in place of those read longest ago."""
        entries = self._known.pop(oid, None)
        if entries is None:
            entries = self._parse(oid, content)
            self._known_entries += len(entries)
        self._known[oid] = entries
        while self._known_entries > _REMEMBERED:
            self._known_entries -= len(self._known.pop(next(iter(self._known))))
        return entries

    def _parse(self, oid: str, content: bytes) -> Entries:
        try:
            return parse_tree(content, self._oid_bytes)
        except Malformed as error:
            raise self._objects.damaged(oid, str(error)) from None


def _differing(before: Entries, after: Entries) -> list[bytes]:
    changed = [name for name, entry in after.items() if before.get(name) != entry]
    return changed + [name for name in before if name not in after]


def _sort(
    path: bytes,
    before: RawEntry | None,
    after: RawEntry | None,
    gone: set[bytes],
    changed: list[TreeEntry],
    below: list[_Folder],
) -> None:
    """Put what became of one name where it belongs; a name may change from file to folder and back."""
    was, now = _folder(before), _folder(after)
    if was or now:
        below.append(_Folder(path + b"/", was, now))
    if after is not None and not now:
        mode, oid = after
        changed.append(TreeEntry(path, _KINDS.get(mode, "special"), oid.hex()))
    elif before is not None and not was:
        gone.add(path)


def _folder(entry: RawEntry | None) -> str:
    return entry[1].hex() if entry is not None and entry[0] in _FOLDERS else ""


def _demand_bounds(entries: int, folders: Sequence[_Folder]) -> None:
    if entries > MAX_ENTRIES:
        message = f"the tree has more than {MAX_ENTRIES:,} files"
        raise TreeError((Problem("error", "too-many-files", ".", 0, 0, message),))
    for folder in folders:
        if len(folder.path) > MAX_PATH_BYTES:
            path = folder.path[:80].decode(errors="backslashreplace")
            message = f"folders nested deeper than {MAX_PATH_BYTES:,} bytes of path"
            raise TreeError((Problem("error", "too-deep", f"{path}…", 0, 0, message),))
