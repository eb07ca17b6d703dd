"""What a snapshot holds, in numbers; and the commit that syncd's control record in it names."""

from collections.abc import Mapping

import msgspec

from syncd.core import keys, record
from syncd.core.errors import RecordError
from syncd.core.snapshots.archive import Meta
from syncd.core.snapshots.kinds import INDEX, KV, REGISTER, name_of
from syncd.core.snapshots.records import Kind, Record, fields_of, key_of


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot's content in numbers.

    ``index`` is the Raft index that it stands at. ``commit`` is what syncd had applied below its prefix, ``applying``
    what it was just applying: with that, the keys are between two revisions. ``unknown`` numbers the kinds of records
    that this version does not know. ``embedded``: it is of syncd's own store, and no Consul takes it.
    ``bootstrapped``: ACLs were, so that nobody can do it again.
    """

    index: int
    term: int
    state_bytes: int
    records: int
    keys: int
    nodes: int
    services: int
    checks: int
    kinds: dict[str, Kind]
    unknown: tuple[int, ...] = ()
    datacenter: str = ""
    commit: str | None = None
    applying: str | None = None
    embedded: bool = False
    bootstrapped: bool = False

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return self.number("Session")

    def number(self, kind: str) -> int:
        """Return how many records there are of a kind."""
        return self.kinds[kind].count if kind in self.kinds else 0


class Census:
    """Learns what no count tells; ``prefix`` says where syncd's control record stands.

    Of keys it needs only those whose record holds ``wanted``.
    """

    def __init__(self, prefix: str) -> None:
        self.wanted = keys.record_key(prefix).encode()
        self._services = self._checks = 0
        self._datacenter = ""
        self._record: record.Record | None = None
        self._bootstrapped = False

    def add(self, found: Record) -> None:
        """Look at a record."""
        if found.kind == REGISTER:
            self._register(found)
        elif found.kind == INDEX and fields_of(found).get(b"Key") == b"acl-token-bootstrap":
            self._bootstrapped = True
        elif found.kind == KV and key_of(found) == self.wanted:
            self._record = _control_record(found)

    def contents(self, meta: Meta, kinds: Mapping[int, Kind]) -> Contents:
        """Return the numbers, once every record has been counted."""
        found = self._record
        largest_first = sorted(kinds.items(), key=lambda item: -item[1].bytes)
        return Contents(
            index=meta.index,
            term=meta.term,
            state_bytes=meta.size,
            records=sum(kind.count for kind in kinds.values()),
            keys=kinds.get(KV, Kind()).count,
            nodes=kinds.get(REGISTER, Kind()).count - self._services - self._checks,
            services=self._services,
            checks=self._checks,
            kinds={name_of(number): kind for number, kind in largest_first},
            unknown=tuple(sorted(number for number in kinds if name_of(number).startswith("unknown"))),
            datacenter=self._datacenter,
            commit=found.applied.commit if found and found.applied else None,
            applying=found.applying.commit if found and found.applying else None,
            embedded=meta.embedded,
            bootstrapped=self._bootstrapped,
        )

    def _register(self, found: Record) -> None:
        """Count a node, or a service or check of one: each has a record that names its node again."""
        fields = fields_of(found)
        self._services += fields.get(b"Service") is not None
        self._checks += fields.get(b"Check") is not None
        datacenter = fields.get(b"Datacenter")
        if isinstance(datacenter, bytes):
            self._datacenter = self._datacenter or datacenter.decode(errors="replace")


def _control_record(found: Record) -> record.Record | None:
    """Read the control record; whoever restores this snapshot will be told if it cannot be read."""
    value = fields_of(found).get(b"Value")
    try:
        return record.decode(value) if isinstance(value, bytes) else None
    except RecordError:
        return None
