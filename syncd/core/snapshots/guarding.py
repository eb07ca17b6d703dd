"""What keeps a snapshot from being put back: what the cluster would lose, and what would end its servers."""

from typing import Final

from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.kinds import SINCE

_OLDEST: Final = (1, 7)


def is_empty(target: Contents) -> bool:
    """Tell whether a cluster has nothing that could be lost: its own servers alone, and no ACLs."""
    used = target.keys or target.sessions or target.bootstrapped or target.services > target.nodes
    return not used


def losses(snapshot: Contents, target: Contents, *, own_sessions: int = 0) -> tuple[str, ...]:
    """Say what the cluster has and the snapshot has nothing of; ``own_sessions`` are syncd's, which may end."""
    found = []
    if target.bootstrapped and not snapshot.bootstrapped:
        found.append("the cluster's ACLs are bootstrapped, those in it are not: anybody could bootstrap them anew")
    tokens = target.number("ACLToken")
    if tokens and not snapshot.number("ACLToken"):
        found.append(f"it holds no ACL tokens: all {tokens:,} of the cluster would be void")
    if target.nodes and not snapshot.nodes:
        found.append(f"it holds no nodes: the cluster has {target.nodes:,}, with {target.services:,} services")
    sessions = target.sessions - own_sessions
    if sessions > 0 and not snapshot.sessions:
        found.append(f"it holds no sessions: the cluster has {sessions:,}, and locks that depend on them")
    return tuple(found)


def unreadable(snapshot: Contents, target: Contents, version: tuple[int, int] | None) -> tuple[str, ...]:
    """Name the kinds of records that a Consul of that version cannot read; what stands in its own state it can."""
    known = version or _OLDEST
    foreign = snapshot.kinds.keys() - target.kinds.keys()
    return tuple(sorted(kind for kind in foreign if kind.startswith("unknown") or SINCE.get(kind, _OLDEST) > known))
