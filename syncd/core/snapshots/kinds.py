"""The kinds of records in ``state.bin``, by the number in front of each.

From the constants of Consul's ``agent/structs/structs.go`` (seen up to 1.22), of which numbers are only ever added;
the names are those that ``consul snapshot inspect`` prints. Numbers from 64 on are Consul Enterprise's.
"""

from typing import Final

REGISTER: Final = 0
KV: Final = 2
SESSION: Final = 3
TOMBSTONE: Final = 5
INDEX: Final = 16
NAMES: Final = {
    REGISTER: "Register",
    KV: "KVS",
    SESSION: "Session",
    4: "ACL",
    TOMBSTONE: "Tombstone",
    6: "CoordinateBatchUpdate",
    7: "PreparedQuery",
    9: "Autopilot",
    12: "Intention",
    13: "ConnectCA",
    14: "ConnectCAProviderState",
    15: "ConnectCAConfig",
    INDEX: "Index",
    17: "ACLToken",
    19: "ACLPolicy",
    22: "ConfigEntry",
    23: "ACLRole",
    25: "ACLBindingRule",
    27: "ACLAuthMethod",
    29: "ChunkingState",
    30: "FederationState",
    31: "SystemMetadata",
    32: "ServiceVirtualIP",
    33: "FreeVirtualIP",
    35: "Peering",
    38: "PeeringTrustBundle",
    40: "PeeringSecrets",
    42: "Resource",
}
"""What Consul writes into snapshots."""


SINCE: Final = {
    "FederationState": (1, 8),
    "SystemMetadata": (1, 9),
    "ServiceVirtualIP": (1, 11),
    "FreeVirtualIP": (1, 11),
    "Peering": (1, 13),
    "PeeringTrustBundle": (1, 13),
    "PeeringSecrets": (1, 14),
    "Resource": (1, 16),
}
"""From which version on a Consul reads those that 1.7 does not."""


def name_of(kind: int) -> str:
    """Name a kind; one that a newer Consul or Consul Enterprise writes is told by its number."""
    return NAMES.get(kind) or f"unknown ({kind})"
