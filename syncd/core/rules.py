"""The tree's own rules: ``.syncd.yaml`` and ``.syncdignore``."""

import msgspec

from syncd.core.desired import Policy


class Rules(msgspec.Struct, frozen=True):
    """What the tree says of its own files."""

    @classmethod
    def parse(cls, rules: bytes | None, ignore: bytes | None) -> "Rules":
        """Read both files (None: absent); raise TreeError with every problem found."""
        return cls()

    def policy(self, path: str) -> Policy:
        """Return the policy of a file; later rules win, field by field."""
        return Policy()

    def ignores(self, path: str) -> bool:
        """Tell whether ``.syncdignore`` names a file."""
        return False
