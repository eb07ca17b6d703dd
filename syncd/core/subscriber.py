"""Who is told of changes, of which, and how: plain values, from settings or from Consul's catalog."""

from collections.abc import Callable
from typing import Literal

import msgspec

from syncd.core.event import About
from syncd.core.mapping.globs import matcher


class Filter(msgspec.Struct, frozen=True):
    """The keys that a subscriber cares for: those that begin with a prefix or match a glob; all where none is given.

    ``prefixes`` and ``patterns`` (as in ``.gitignore``) are relative to the store's prefix. Who cares ``about``
    snapshots is told when one fails, and of no keys.
    """

    prefixes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    about: About = "keys"

    @property
    def everything(self) -> bool:
        """Tell whether nothing is left out."""
        return not self.prefixes and not self.patterns

    def test(self) -> Callable[[str], bool]:
        """Make the test for one key."""
        if self.everything:
            return lambda _: True
        matches = matcher(self.patterns) if self.patterns else lambda _: False
        return lambda key: key.startswith(self.prefixes) or matches(key)


class Webhook(msgspec.Struct, frozen=True):
    """An HTTP endpoint. ``secret_file`` holds signing secrets, one a line, all of which sign.

    ``trusted``: a person wrote this address into the settings, so it may be a private one; ``timeout`` is in seconds.
    """

    url: str
    secret_file: str = ""
    timeout: float = 15.0
    trusted: bool = True


class Command(msgspec.Struct, frozen=True):
    """A program that gets the event on its standard input; ``timeout`` is in seconds."""

    argv: tuple[str, ...]
    timeout: float = 30.0


class File(msgspec.Struct, frozen=True):
    """A file made from a template; ``command`` and ``signal`` (sent to the process in ``pid_file``) follow a change.

    ``owner`` and ``group`` are names or numbers, "" leaves them; ``signal`` is a name without SIG.
    """

    path: str
    template: str
    mode: int = 0o644
    owner: str = ""
    group: str = ""
    command: Command | None = None
    signal: str = ""
    pid_file: str = ""


Target = Webhook | Command | File
Values = bool | tuple[str, ...]
"""Whose values are told: every key's, no key's, or those of keys that begin so; of all others the hashes."""
Scope = Literal["leader", "node"]


class Subscriber(msgspec.Struct, frozen=True):
    """One subscriber; ``name`` is unique.

    ``origin`` says where it was defined: a place in ``syncd.toml``, or a service of the catalog.
    """

    name: str
    target: Target
    filter: Filter = Filter()
    values: Values = True
    origin: str = ""

    @property
    def kind(self) -> str:
        """Name the kind of target."""
        return type(self.target).__name__.lower()

    @property
    def scope(self) -> Scope:
        """Tell who delivers: a webhook is told by the node that leads, commands and files belong to each machine.

        A snapshot that failed is told by the node that failed: nobody may lead then.
        """
        return "leader" if isinstance(self.target, Webhook) and self.filter.about == "keys" else "node"
