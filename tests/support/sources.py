"""Sources under test, and what a revision says as plain values."""

from collections.abc import Awaitable, Callable

from syncd.git.source import Revision, Source

Open = Callable[..., Awaitable[Source]]
"""Opens a source on a repository (``path``, ``branch``) and closes it after the test."""


def values(revision: Revision) -> dict[str, str]:
    """Every key and its value."""
    return {key: desired.value.decode() for key, desired in revision.tree.desired.keys.items()}
