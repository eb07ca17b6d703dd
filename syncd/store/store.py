"""The store as the rest of syncd sees it: ``reads.py``, and writes, sessions, the lock, what answers there."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from syncd.core import keys
from syncd.core.documents import UNREADABLE
from syncd.core.errors import Conflict, Denied, NoLeader, NotFound, StoreError, UnknownOutcome
from syncd.store.answers import AGENT, Agent, Reply, allows, body_of, failures, is_true, written_index
from syncd.store.catalog import Catalog
from syncd.store.faults import UNKNOWN_HINT, AclsOff, refused
from syncd.store.reads import Reads, own_name
from syncd.store.snapshot import open_snapshot, restore_snapshot

_EMBEDDED: Final = "+syncd.embedded"
"""How the version of syncd's own store ends."""


class Store(Reads):
    """One prefix of one store: what ``Reads`` reads, and all the rest."""

    # -- writes

    async def transact(self, body: bytes) -> int:
        """Send one transaction; return the index that its operations share, 0 where no answer tells it.

        Conflict and Denied mean that nothing was written, UnknownOutcome that all or nothing was.
        """
        return await self._client.http.put(self._written, "/v1/txn", data=body)

    async def put_cas(self, key: str, value: bytes, flags: int, index: int) -> int:
        """Write a value that no transaction holds, if its key still stands at ``index``; return the new index."""
        return await self._put(keys.join(self._prefix, key), value, flags, index)

    async def put_own(self, name: str, value: bytes, *, index: int) -> None:
        """Write one of syncd's own keys, if it still stands at ``index`` (0: must not exist)."""
        await self._put(keys.join(self._prefix, own_name(name)), value, 0, index)

    # -- sessions and the lock

    async def create_session(self, name: str, ttl: float) -> str:
        """Make a session that ends by its time to live alone, and whose lock is free at once when it ends."""
        session: str = await self._client.session.create(name, checks=[], lock_delay=0, ttl=ttl)
        return session

    async def renew_session(self, session: str) -> bool:
        """Keep a session alive; False if it has ended."""
        try:
            await self._client.session.renew(session)
        except NotFound:
            return False
        return True

    async def destroy_session(self, session: str) -> None:
        """End a session; ending an ended one is fine."""
        await self._client.session.destroy(session)

    async def acquire(self, session: str, value: bytes) -> bool:
        """Take the lock, or rewrite its value while holding it; False if it is held or the session has ended."""
        return await self._lock("acquire", session, value)

    async def release(self, session: str) -> bool:
        """Give the lock back; False if this session does not hold it."""
        return await self._lock("release", session, b"")

    # -- the store as a whole

    async def may_write(self) -> bool:
        """Tell whether the token may write every key below the prefix, which also means: no list is filtered."""
        question = {"Resource": "key", "Access": "write-prefix", "Segment": keys.own_prefix(self._prefix)}
        try:
            body: bytes = await self._client.http.post(
                body_of, "/v1/internal/acl/authorize", data=msgspec.json.encode([question])
            )
        except AclsOff as error:
            if "ACL support disabled" in error.message:
                return True
            raise
        return allows(body, f"rights at {self._endpoint}")

    async def leader(self) -> str:
        """Name the server that leads; NoLeader where there is none."""
        name: str = await self._client.status.leader()
        if not name:
            raise NoLeader("the cluster has no leader", where=str(self._endpoint))
        return name

    async def describe(self) -> str:
        """Say in a few words what answers here."""
        version = await self.version()
        if is_embedded(version):
            return f"syncd's embedded store at {self._endpoint}"
        return " ".join(("Consul", *version.split(), "at", str(self._endpoint)))

    async def version(self) -> str:
        """Return the version that the agent names, "" where it does not tell."""
        try:
            body: bytes = await self._client.http.get(body_of, "/v1/agent/self")
            return AGENT.decode(body).config.version
        except (Denied, *UNREADABLE):
            return Agent().config.version

    @property
    def catalog(self) -> Catalog:
        """The catalog of services beside the keys."""
        return Catalog(self._client.http, str(self._endpoint))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """Stream the whole store, other prefixes, ACLs and catalog included, as Consul's own snapshot."""
        async with open_snapshot(self._client.http, self._patience, str(self._endpoint)) as pieces:
            yield pieces

    async def restore(self, pieces: AsyncIterable[bytes]) -> None:
        """Replace the whole store, other prefixes, ACLs and catalog included, by a snapshot."""
        await restore_snapshot(self._client.http, pieces, str(self._endpoint))

    # -- within

    def _written(self, reply: Reply) -> int:
        where = f"transaction at {self._endpoint}"
        if reply.code == 409:
            raise refused(failures(reply.body), where)
        if reply.code == 404:
            raise StoreError("the store knows no transactions", where=where, hint="is this a Consul's address?")
        try:
            return written_index(reply.body)
        except UNREADABLE as error:
            raise UnknownOutcome(f"the answer is damaged: {error}", where=where, hint=UNKNOWN_HINT) from None

    async def _put(self, key: str, value: bytes, flags: int, index: int) -> int:
        params = (("cas", index), ("flags", flags))
        where = f"PUT {key} at {self._endpoint}"
        try:
            won: bool = await self._client.http.put(is_true, f"/v1/kv/{key}", params, value)
        except UnknownOutcome as doubt:
            return await self._resolve(doubt, key, value, flags, index)
        # A "true" tells no index, and a "false" may be our own write seen twice by something between us.
        unread = UnknownOutcome("it was answered, but cannot be read back", where=where, hint=UNKNOWN_HINT)
        found = await self._read_back(unread, key, value, flags, index)
        if found is not None:
            return found
        raise Conflict(
            "the key was written by somebody else at once" if won else "the key is not what it was",
            where=where,
            hint="nothing of theirs was overwritten",
        )

    async def _resolve(self, doubt: UnknownOutcome, key: str, value: bytes, flags: int, index: int) -> int:
        """Look whether a write of unknown outcome has landed; the doubt stays where it has not (yet)."""
        found = await self._read_back(doubt, key, value, flags, index)
        if found is None:
            raise doubt
        return found

    async def _read_back(self, doubt: UnknownOutcome, key: str, value: bytes, flags: int, index: int) -> int | None:
        """Return the index of what we wrote, None if something else stands there."""
        try:
            entry, _ = await self._read(key)
        except StoreError:
            raise doubt from None
        ours = entry is not None and entry.value == value and entry.flags == flags and entry.index >= index
        return entry.index if entry is not None and ours else None

    async def _lock(self, verb: str, session: str, value: bytes) -> bool:
        path = f"/v1/kv/{keys.lease_key(self._prefix)}"
        try:
            return await self._client.http.put(is_true, path, [(verb, session)], value)
        except NotFound:
            return False


def is_embedded(version: str) -> bool:
    """Tell by its version whether this is syncd's own store."""
    return version.endswith(_EMBEDDED)
