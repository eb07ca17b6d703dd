"""What was published last against what stands now: which keys to tell of, and what may be told of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from syncd.core.desired import DesiredKey
from syncd.core.digest import value_hash
from syncd.core.event import KeyChange, Operation, shown
from syncd.core.explain import would_be_secret
from syncd.core.live import Entry
from syncd.core.mark import is_mark
from syncd.core.rules import Rules


class Sayings(msgspec.Struct, frozen=True):
    """What git says at the applied commit: keys, rules, and the tree's path (``root``) in the repository.

    ``keys`` is None where this node does not have that commit.
    """

    keys: Mapping[str, DesiredKey] | None = None
    rules: Rules = Rules()
    root: str = ""

    def place(self, key: str) -> str:
        """Name the place that says a key, from the repository's root; "" where git does not say it."""
        said = self.keys.get(key) if self.keys is not None else None
        if said is None:
            return ""
        path = f"{self.root}/{said.path}" if self.root else said.path
        return f"{path}:{said.line}:{said.column}"

    def hides(self, key: str, entry: Entry) -> bool:
        """Tell whether a key's value may not be told; where git cannot be asked, anything may be a secret."""
        if self.keys is None:
            return True
        said = self.keys.get(key)
        if said is not None:
            return said.secret
        return is_mark(entry.flags) or would_be_secret(key, self.rules)


class Past(msgspec.Struct, frozen=True, gc=False):
    """A key as it was published: its value, or where that is no longer known its hash, and whether it may be told."""

    secret: bool
    value: bytes | None = None
    known: bytes = b""

    @property
    def hash(self) -> bytes:
        """SHA-256 of the value."""
        return self.known if self.value is None else value_hash(self.value)


class Difference(msgspec.Struct, frozen=True):
    """A key to tell of; ``secret`` says whether it is published as one from now on."""

    change: KeyChange
    entry: Entry | None
    secret: bool


def compare(
    keys: Iterable[str], past: Callable[[str], Past | None], live: Mapping[str, Entry], sayings: Sayings
) -> Iterator[Difference]:
    """Compare keys by value; what only changed its flags or its index is nothing to tell."""
    for key in keys:
        before, entry = past(key), live.get(key)
        if before is None and entry is None:
            continue
        if before is not None and entry is not None and _is_same(before, entry.value):
            continue
        yield _difference(key, before, entry, sayings)


def _is_same(before: Past, value: bytes) -> bool:
    return before.value == value if before.value is not None else before.known == value_hash(value)


def _difference(key: str, before: Past | None, entry: Entry | None, sayings: Sayings) -> Difference:
    hidden = entry is not None and sayings.hides(key, entry)
    secret = hidden or (before is not None and before.secret)
    operation: Operation = "create" if before is None else "delete" if entry is None else "update"
    change = KeyChange(
        key,
        operation,
        old=before.value if before and not secret else None,
        new=entry.value if entry and not secret else None,
        old_hash=f"sha256:{before.hash.hex()}" if before else "",
        new_hash=shown(entry.value) if entry else "",
        at=sayings.place(key),
        secret=secret,
    )
    return Difference(change, entry, hidden)
