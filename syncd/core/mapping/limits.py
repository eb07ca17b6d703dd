"""How much one file may make of itself: bounds the time and memory that a hostile file can take."""

from typing import Final

from syncd.core.mapping.nodes import Fault, Mark

MAX_DEPTH: Final = 64
MAX_NODES: Final = 1_000_000
MAX_ALIASES: Final = 10_000
MAX_YIELD_BYTES: Final = 64 * 1024 * 1024
"""Twice the largest file: only aliases can reach it."""


def check_depth(depth: int, mark: Mark) -> None:
    """Refuse what is nested too deep."""
    if depth > MAX_DEPTH:
        raise Fault("too-deep", mark, f"nested more than {MAX_DEPTH} levels deep")


class Exhausted(Exception):
    """The budget is spent: ends the walk, where a fault lets it go on."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.fault = Fault("expands-too-far", mark, message, "use fewer aliases")


class Budget:
    """The nodes that are left for one file to expand into, aliases and merges followed."""

    def __init__(self) -> None:
        self._nodes = MAX_NODES

    def spend_nodes(self, count: int, mark: Mark) -> None:
        """Take nodes, or end the walk."""
        self._nodes -= count
        if self._nodes < 0:
            raise Exhausted(mark, f"aliases and merges expand the file to more than {MAX_NODES:,} nodes")
