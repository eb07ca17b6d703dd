"""What is wrong with a tree, and exactly where."""

from typing import Literal

import msgspec

from syncd.core.errors import SyncdError


class Problem(msgspec.Struct, frozen=True):
    """One finding in a tree.

    ``path`` is relative to the tree's root, or after ``below`` to the repository's; ``line`` and ``column`` count from
    1, 0 stands for the whole file. ``code`` is a short stable word for machines (``duplicate-key``). ``snippet`` is the
    source line, or "" where it could show a secret or there is none.
    """

    severity: Literal["error", "warning"]
    code: str
    path: str
    line: int
    column: int
    message: str
    hint: str = ""
    snippet: str = ""

    @property
    def where(self) -> str:
        """``file:line:column``, as editors and terminals link it."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def below(self, root: str) -> "Problem":
        """Name the file from the repository's root, where an editor finds it; ``root`` is the tree's path there."""
        return msgspec.structs.replace(self, path=f"{root}/{self.path}") if root else self


class TreeError(SyncdError):
    """The tree at a commit is invalid: nothing of it is used. ``problems`` holds every error found."""

    exit_code = 65

    def __init__(self, problems: tuple[Problem, ...], *, commit: str = "") -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
        super().__init__(f"{first.message}{more}", where=first.where, hint=first.hint)
        self.problems = problems
        self.commit = commit

    def below(self, root: str) -> "TreeError":
        """Name the files from the repository's root; ``root`` is the tree's path there."""
        return TreeError(tuple(problem.below(root) for problem in self.problems), commit=self.commit)
