"""The tree's own rules: ``.syncd.yaml`` and ``.syncdignore``, both at the tree's root only."""

from typing import Final

import msgspec

from syncd.core.desired import Policy
from syncd.core.mapping.globs import matcher
from syncd.core.mapping.rules_file import IGNORE_FILE, RULES_FILE, Rule, read_ignore, read_rules
from syncd.core.problems import TreeError

FILES: Final = frozenset((RULES_FILE, IGNORE_FILE))
"""The files, by path, that rule a tree; a change of one calls for a full read."""

_DEFAULT: Final = Policy()


class Rules(msgspec.Struct, frozen=True):
    """What the tree says of its own files."""

    rules: tuple[Rule, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def parse(cls, rules: bytes | None, ignore: bytes | None) -> "Rules":
        """Read both files (None: absent); raise TreeError with every problem found."""
        read, problems = read_rules(rules or b"")
        patterns, more = read_ignore(ignore or b"")
        if problems or more:
            raise TreeError((*problems, *more))
        return cls(read, patterns)

    def policy(self, path: str) -> Policy:
        """Return the policy of a file; later rules win, field by field."""
        policy = _DEFAULT
        for rule in self.rules:
            if rule.matches(path):
                policy = msgspec.structs.replace(policy, **rule.said)
        return policy

    def ignores(self, path: str) -> bool:
        """Tell whether ``.syncdignore`` names a file."""
        return bool(self.ignore) and matcher(self.ignore)(path)
