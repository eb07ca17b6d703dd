"""What a snapshot holds, counted record by record; and the commit that syncd's control record in it names."""

import msgspec

from syncd.core import keys, record
from syncd.core.errors import RecordError
from syncd.core.snapshots.archive import Meta
from syncd.core.snapshots.kinds import KV, REGISTER, name_of
from syncd.core.snapshots.records import Record, fields_of, key_of


class Kind(msgspec.Struct):
    """How many records there are of a kind, and what they take in ``state.bin``."""

    count: int = 0
    bytes: int = 0


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot's content in numbers.

    ``index`` is the Raft index that it stands at. ``commit`` is what syncd had applied below its prefix, ``applying``
    what it was just applying: with that, the keys are between two revisions. ``unknown`` numbers the kinds of records
    that this version does not know.
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


class Census:
    """Counts records; ``prefix`` says where syncd's control record stands."""

    def __init__(self, prefix: str) -> None:
        self._control = keys.record_key(prefix).encode()
        self._kinds: dict[int, Kind] = {}
        self._services = self._checks = 0
        self._datacenter = ""
        self._record: record.Record | None = None

    def add(self, found: Record) -> None:
        """Count a record."""
        kind = self._kinds.get(found.kind)
        if kind is None:
            kind = self._kinds[found.kind] = Kind()
        kind.count += 1
        kind.bytes += found.size
        if found.kind == KV:
            if key_of(found) == self._control:
                self._record = _control_record(found)
        elif found.kind == REGISTER:
            self._register(found)

    def contents(self, meta: Meta) -> Contents:
        """Return the numbers, once every record has been counted."""
        found = self._record
        kinds = sorted(self._kinds.items(), key=lambda item: -item[1].bytes)
        return Contents(
            index=meta.index,
            term=meta.term,
            state_bytes=meta.size,
            records=sum(kind.count for _, kind in kinds),
            keys=self._kinds.get(KV, Kind()).count,
            nodes=self._kinds.get(REGISTER, Kind()).count - self._services - self._checks,
            services=self._services,
            checks=self._checks,
            kinds={name_of(number): kind for number, kind in kinds},
            unknown=tuple(sorted(number for number, _ in kinds if name_of(number).startswith("unknown"))),
            datacenter=self._datacenter,
            commit=found.applied.commit if found and found.applied else None,
            applying=found.applying.commit if found and found.applying else None,
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
