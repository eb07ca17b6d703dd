"""What the store holds, in the very shape that Consul's JSON has."""

from msgspec import UNSET, Struct, UnsetType


def _consul_name(field: str) -> str:
    return field.upper() if field in {"id", "ttl"} else field.title().replace("_", "")


class Entry(Struct, frozen=True, gc=False, rename=_consul_name):
    """A key with its value; ``value`` is None where Consul says null: when empty, and in a write's answer."""

    lock_index: int
    key: str
    flags: int
    value: bytes | None
    session: str | UnsetType = UNSET
    create_index: int = 0
    modify_index: int = 0


class Session(Struct, frozen=True, rename=_consul_name):
    """A session; ``lock_delay`` is in nanoseconds and ``ttl`` a text, as Consul prints them."""

    id: str
    name: str
    node: str
    lock_delay: int
    behavior: str
    ttl: str
    node_checks: tuple[str, ...]
    service_checks: None
    create_index: int
    modify_index: int
