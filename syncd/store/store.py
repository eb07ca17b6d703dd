"""The store as the rest of syncd sees it: reads, transactions, watches, sessions, on keys relative to a prefix."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

import msgspec

from syncd.core import keys
from syncd.core.desired import DesiredKey
from syncd.core.documents import UNREADABLE
from syncd.core.errors import Conflict, Denied, NoLeader, NotFound, NotWhole, StoreError, UnknownOutcome
from syncd.core.live import Entry, Listing
from syncd.store.answers import (
    AGENT,
    FOUND,
    Agent,
    Reply,
    allows,
    body_of,
    failures,
    is_true,
    names_below,
    only,
    trusted_index,
    written_index,
)
from syncd.store.catalog import Catalog
from syncd.store.endpoint import Endpoint
from syncd.store.faults import UNKNOWN_HINT, AclsOff, refused
from syncd.store.listing import Gathering
from syncd.store.pieces import Pieces
from syncd.store.snapshot import open_snapshot, restore_snapshot
from syncd.store.transport import PATIENCE, Client, Params

_CONSISTENT: Final = (("consistent", ""),)
_LIST_PATIENCE: Final = 10
"""A list may take so many times longer: it can be 30 MB."""
_EMBEDDED: Final = "+syncd.embedded"
"""How the version of syncd's own store ends."""


class Store:
    """One prefix of one store. Close it, or use it as a context manager; needs a running event loop.

    ``patience`` is how many seconds a call that does not block may take, its whole answer included.
    """

    def __init__(self, endpoint: Endpoint, prefix: str, *, patience: float = PATIENCE) -> None:
        self._endpoint = endpoint
        self._prefix = prefix
        self._patience = patience
        self._client = Client(endpoint, patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.http.close()

    @property
    def catalog(self) -> Catalog:
        """The catalog of services beside the keys."""
        return Catalog(self._client.http, str(self._endpoint))

    # -- reads

    async def listing(self, intern: Mapping[str, DesiredKey] | None = None) -> Listing:
        """Read the whole prefix, consistently; an error unless the answer came to its end.

        A prefix without keys is an empty list. Whether ACLs filter lists is told by ``may_write``, not by this.
        """
        path = f"/v1/kv/{keys.own_prefix(self._prefix)}"
        gathering = Gathering(self._prefix, intern, where=f"list of {self._prefix!r} at {self._endpoint}")
        params, patience = (("recurse", ""), *_CONSISTENT), self._patience * _LIST_PATIENCE
        return gathering.finish(await self._gather(path, params, gathering, patience=patience))

    async def names(self) -> list[str]:
        """List the names of all keys below the prefix, consistently: a seventh of what a listing transfers."""
        front, where = keys.own_prefix(self._prefix), f"names below {self._prefix!r} at {self._endpoint}"

        def read(reply: Reply) -> list[str]:
            trusted_index(reply.headers, where)
            return names_below(front, reply.body, where) if reply.code == 200 else []

        return await self._client.http.get(read, f"/v1/kv/{front}", (("keys", ""), *_CONSISTENT))

    async def watch_prefix(
        self, part: str, index: int, *, exact: bool = False, wait: float = 55.0
    ) -> tuple[dict[str, Entry] | None, int]:
        """Wait until a key that begins with ``part`` (``exact``: has that name) moves beyond ``index``.

        Return all such keys, without syncd's own, and their index; None for the keys where the index has not moved.
        """
        path = f"/v1/kv/{keys.own_prefix(self._prefix)}{part}"
        gathering = Gathering(self._prefix, None, where=f"watch of {path} at {self._endpoint}", part=part)
        params: Params = (("index", max(1, index)), ("wait", f"{wait:g}s"), *_CONSISTENT)
        found = await self._gather(path, params if exact else (("recurse", ""), *params), gathering, known=index)
        return (None if found == index else gathering.finish(found).entries), found

    async def moved(self, part: str, index: int = 0, *, wait: float = 55.0) -> int:
        """Wait until a key that begins with ``part`` moves beyond ``index`` (0: don't wait); return their index.

        No values travel, and of the names only the next folders: for thousands of keys that costs a fraction.
        """
        path = f"/v1/kv/{keys.own_prefix(self._prefix)}{part}"
        where = f"watch of {path} at {self._endpoint}"
        waiting: Params = (("index", index), ("wait", f"{wait:g}s")) if index else ()
        params = (("keys", ""), ("separator", "/"), *waiting, *_CONSISTENT)
        return await self._client.http.get(lambda reply: trusted_index(reply.headers, where), path, params)

    async def get(self, key: str) -> Entry | None:
        """Read one key, consistently; None is proof that there is no such key."""
        entry, _ = await self._read(keys.join(self._prefix, key), _CONSISTENT)
        return entry

    async def own(self, name: str) -> Entry | None:
        """Read one of syncd's own keys, ``.syncd/<name>``, consistently; None is proof of its absence."""
        return await self.get(_own(name))

    async def watch_own(self, name: str, index: int, *, wait: float = 55.0) -> tuple[Entry | None, int]:
        """Wait until one of syncd's own keys moves beyond ``index`` (0: don't wait); return it and the new index.

        The index may come back lower: the store went back in time, and whoever watches starts again from 0.
        """
        params = [*_CONSISTENT] if index == 0 else [*_CONSISTENT, ("index", max(1, index)), ("wait", f"{wait:g}s")]
        return await self._read(keys.join(self._prefix, _own(name)), params)

    async def watch_all_own(self, index: int, *, wait: float = 55.0) -> tuple[dict[str, Entry], int]:
        """Wait as ``watch_own`` does, for any of syncd's own keys; return them all by name, and their index."""
        path = f"/v1/kv/{keys.own_prefix(self._prefix)}{_own('')}"
        gathering = Gathering(self._prefix, None, where=f"watch of {path} at {self._endpoint}", part=_own(""))
        waiting: Params = (("index", index), ("wait", f"{wait:g}s")) if index else ()
        found = await self._gather(path, (("recurse", ""), *waiting, *_CONSISTENT), gathering)
        return gathering.finish(found).own, found

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

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """Stream the whole store, other prefixes, ACLs and catalog included, as Consul's own snapshot."""
        async with open_snapshot(self._client.http, self._patience, str(self._endpoint)) as pieces:
            yield pieces

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
        await self._put(keys.join(self._prefix, _own(name)), value, 0, index)

    async def restore(self, pieces: AsyncIterable[bytes]) -> None:
        """Replace the whole store, other prefixes, ACLs and catalog included, by a snapshot."""
        await restore_snapshot(self._client.http, pieces, str(self._endpoint))

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

    # -- within

    async def _gather(
        self, path: str, params: Params, gathering: Gathering, *, patience: float | None = None, known: int = 0
    ) -> int:
        """Read a list as it comes and return its index; where that is ``known`` the list is not looked at."""
        pieces = Pieces(FOUND.decode)
        async with self._client.http.open("GET", path, params, patience=patience) as answer:
            index = trusted_index(answer.headers, gathering.where)
            wanted = answer.status == 200 and index != known
            try:
                async for portion in answer.content.iter_any():
                    if wanted:
                        gathering.add(pieces.feed(portion))
                if wanted:
                    gathering.add(pieces.close())
            except UNREADABLE as error:
                raise NotWhole(f"the list is damaged: {error}", where=gathering.where) from None
        return index

    async def _read(self, key: str, params: Params) -> tuple[Entry | None, int]:
        where = f"GET {key} at {self._endpoint}"

        def read(reply: Reply) -> tuple[Entry | None, int]:
            index = trusted_index(reply.headers, where)
            return (only(reply.body, key, where) if reply.code == 200 else None), index

        return await self._client.http.get(read, f"/v1/kv/{key}", params)

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
            entry, _ = await self._read(key, _CONSISTENT)
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


def _own(name: str) -> str:
    return f"{keys.RESERVED}/{name}"
