"""What a file says, before it is known what that means for keys.

Leaves are PyYAML's own scalar events: an object of ours for each would cost a tenth of the parsing time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from yaml.events import ScalarEvent

_LONGEST_SHOWN: Final = 80


class Mark(Protocol):
    """A place in a file; both numbers count from 0, in characters."""

    @property
    def line(self) -> int:
        """The line."""
        ...

    @property
    def column(self) -> int:
        """The column."""
        ...


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that no parser named."""

    line: int
    column: int


FILE: Final = Spot(-1, -1)
"""Stands for the whole file."""


@dataclass(slots=True, eq=False)
class Map:
    """A mapping: ``items`` holds keys and values in turn, in the order written.

    ``end_mark`` is right after the closing brace; of a block, and in JSON, it says nothing.
    """

    start_mark: Mark
    tag: str | None
    items: list["Node"] = field(default_factory=list)
    end_mark: Mark = FILE

    def pairs(self) -> Iterator[tuple["Node", "Node"]]:
        """Go through keys with their values."""
        one_by_one = iter(self.items)
        return zip(one_by_one, one_by_one, strict=True)


@dataclass(slots=True, eq=False)
class List:
    """A sequence; ``end_mark`` as a mapping's."""

    start_mark: Mark
    tag: str | None
    items: list["Node"] = field(default_factory=list)
    end_mark: Mark = FILE


if TYPE_CHECKING:

    @dataclass
    class Scalar:
        """A leaf: what ScalarEvent holds when a parser made it."""

        anchor: str | None
        tag: str | None
        implicit: tuple[bool, bool]
        value: str
        start_mark: Mark
        end_mark: Mark
        style: str
else:
    Scalar = ScalarEvent

Node: TypeAlias = Scalar | Map | List


class Fault(Exception):
    """One thing wrong at one place; becomes a Problem."""

    def __init__(self, code: str, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.mark = mark
        self.message = message
        self.hint = hint


def shown(text: str) -> str:
    """Quote a name for a message, cut where it is longer than a reader needs."""
    return repr(text) if len(text) <= _LONGEST_SHOWN else repr(text[:_LONGEST_SHOWN]) + "..."
