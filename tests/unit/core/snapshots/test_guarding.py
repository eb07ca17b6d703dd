"""What a cluster would lose by a restore, and what would end its servers."""

import pytest
from msgspec.structs import replace

from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.guarding import is_empty, losses, unreadable
from syncd.core.snapshots.records import Kind

NONE = Contents(
    index=1, term=1, state_bytes=1, records=0, keys=0, nodes=0, services=0, checks=0, kinds={}, datacenter="dc1"
)
FULL = replace(
    NONE, keys=3, nodes=2, services=5, bootstrapped=True, kinds={"ACLToken": Kind(4, 9), "Session": Kind(2, 9)}
)


def test_each_thing_that_would_be_lost_is_named() -> None:
    assert len(losses(NONE, FULL)) == 4
    assert losses(FULL, FULL) == losses(FULL, NONE) == losses(NONE, NONE) == ()


def test_tokens_without_the_mark_of_a_bootstrap_still_open_it() -> None:
    (told,) = losses(replace(FULL, bootstrapped=False), FULL)
    assert "anybody could bootstrap" in told


def test_syncd_s_own_session_is_no_loss() -> None:
    target = replace(NONE, kinds={"Session": Kind(1, 9)})
    assert losses(NONE, target, own_sessions=1) == ()
    assert len(losses(NONE, target)) == 1


@pytest.mark.parametrize("field", [{"keys": 1}, {"bootstrapped": True}, {"services": 3}, {"kinds": FULL.kinds}])
def test_a_cluster_of_its_own_servers_alone_is_empty(field: dict[str, object]) -> None:
    fresh = replace(NONE, nodes=2, services=2)
    assert is_empty(fresh)
    assert not is_empty(replace(fresh, **field))


def holding(*kinds: str) -> Contents:
    return replace(NONE, kinds={kind: Kind(1, 1) for kind in kinds})


@pytest.mark.parametrize(
    ("kind", "version", "told"),
    [
        ("KVS", (1, 8), ()),
        ("FederationState", (1, 8), ()),
        ("Peering", (1, 13), ()),
        ("Peering", (1, 8), ("Peering",)),
        ("SystemMetadata", None, ("SystemMetadata",)),
        ("unknown (99)", (9, 9), ("unknown (99)",)),
    ],
)
def test_kinds_that_the_version_does_not_read_are_named(
    kind: str, version: tuple[int, int] | None, told: tuple[str, ...]
) -> None:
    assert unreadable(holding(kind), NONE, version) == told


def test_what_stands_in_its_own_state_a_server_reads() -> None:
    assert unreadable(holding("unknown (99)", "Peering"), holding("unknown (99)", "Peering"), (1, 8)) == ()
