"""Consul's catalog: which services there are, and where each is registered with which meta."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from syncd.core.catalog import PATH, Instance
from syncd.core.documents import UNREADABLE
from syncd.core.errors import NotFound, NotWhole, TooLarge
from syncd.store.answers import body_of, permissions, trusted_index
from syncd.store.faults import AclsOff
from syncd.store.transport import Params, Transport

MAX_BYTES: Final = 16 << 20
"""Of one answer: some 20,000 instances that all ask to be told."""
_ASKS: Final = f'"{PATH}" in ServiceMeta'


class _Registered(msgspec.Struct, frozen=True, rename="pascal"):
    """One element of ``/v1/catalog/service/NAME``; ``service_kind`` is not empty for proxies and gateways."""

    node: str
    address: str
    service_id: str = msgspec.field(name="ServiceID")
    service_name: str
    service_address: str = ""
    service_port: int = 0
    service_kind: str = ""
    service_meta: dict[str, str] | None = None

    def instance(self) -> Instance:
        """Name the parts as the rest of syncd does."""
        address, meta = self.service_address or self.address, self.service_meta or {}
        return Instance(self.service_name, self.service_id, self.node, address, self.service_port, meta)


_SERVICES: Final = msgspec.json.Decoder(dict[str, Any])
_REGISTERED: Final = msgspec.json.Decoder(list[_Registered])


class Catalog:
    """Reads from any server: old by a moment is soon enough here, and spares the one that leads."""

    def __init__(self, http: Transport, address: str) -> None:
        self._http = http
        self._address = address

    async def services(self, index: int, *, wait: float) -> tuple[frozenset[str], int]:
        """Wait until the catalog moves beyond ``index`` (0: don't wait); return every service's name and its index.

        NotFound where the store has no catalog. A token that may not read a service does not see it.
        """
        waiting: Params = (("index", index), ("wait", f"{wait:g}s")) if index else ()
        path = "/v1/catalog/services"
        # What Consul 1.15 and newer leave out by themselves; older ones do not look at it.
        body, found = await self._read(path, (("filter", _ASKS), ("stale", ""), *waiting))
        try:
            return frozenset(_SERVICES.decode(body)), found
        except UNREADABLE as error:
            raise NotWhole(f"the list of services is damaged: {error}", where=self._where(path)) from None

    async def instances(self, service: str) -> list[Instance]:
        """Return the instances of a service that ask to be told, healthy or not.

        One that is critical stays: what it misses meanwhile is tried again until it is back.
        """
        path = f"/v1/catalog/service/{service}"
        body, _ = await self._read(path, (("filter", _ASKS), ("stale", "")))
        try:
            # A sidecar takes over its service's meta, and would be told in its place.
            return [each.instance() for each in _REGISTERED.decode(body) if not each.service_kind]
        except UNREADABLE as error:
            raise NotWhole(f"the list of instances is damaged: {error}", where=self._where(path)) from None

    async def unseen(self, instances: Iterable[Instance]) -> set[str]:
        """Name those that the token may not read: that they are not listed says nothing about them."""
        asked = list(instances)
        questions = [
            {"Resource": resource, "Access": "read", "Segment": name}
            for each in asked
            for resource, name in (("service", each.service), ("node", each.node))
        ]
        path = "/v1/internal/acl/authorize"
        try:
            body: bytes = await self._http.post(body_of, path, data=msgspec.json.encode(questions))
        except AclsOff:
            return set()
        answers = permissions(body, self._where(path))
        if len(answers) != len(questions):
            raise NotWhole("the answer is about other questions", where=self._where(path))
        return {each.name for number, each in enumerate(asked) if not all(answers[2 * number : 2 * number + 2])}

    async def _read(self, path: str, params: Params) -> tuple[bytes, int]:
        where, body = self._where(path), bytearray()
        async with self._http.open("GET", path, params) as answer:
            if answer.status == 404:
                raise NotFound("the store has no catalog", where=where)
            index = trusted_index(answer.headers, where, filtered=True)
            async for portion in answer.content.iter_any():
                body += portion
                if len(body) > MAX_BYTES:
                    raise TooLarge(f"the answer has more than {MAX_BYTES:,} bytes", where=where)
        return bytes(body), index

    def _where(self, path: str) -> str:
        return f"GET {path} at {self._address}"
