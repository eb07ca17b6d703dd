"""What is read of the keys: lists, single keys, blocking queries."""

from collections.abc import Mapping
from typing import Final, Self

from syncd.core import keys
from syncd.core.desired import DesiredKey
from syncd.core.documents import UNREADABLE
from syncd.core.errors import NotWhole
from syncd.core.live import Entry, Listing
from syncd.store.answers import FOUND, Reply, names_below, only, trusted_index
from syncd.store.endpoint import Endpoint
from syncd.store.listing import Gathering
from syncd.store.pieces import Pieces
from syncd.store.transport import PATIENCE, Client, Params

_CONSISTENT: Final = (("consistent", ""),)
_LIST_PATIENCE: Final = 10
"""A list may take so many times longer: it can be 30 MB."""


class Reads:
    """Reads keys below one prefix. Close it, or use it as a context manager; needs a running event loop.

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
        entry, _ = await self._read(keys.join(self._prefix, key))
        return entry

    async def own(self, name: str) -> Entry | None:
        """Read one of syncd's own keys, ``.syncd/<name>``, consistently; None is proof of its absence."""
        return await self.get(own_name(name))

    async def watch_own(self, name: str, index: int, *, wait: float = 55.0) -> tuple[Entry | None, int]:
        """Wait until one of syncd's own keys moves beyond ``index`` (0: don't wait); return it and the new index.

        The index may come back lower: the store went back in time, and whoever watches starts again from 0.
        """
        params = [*_CONSISTENT] if index == 0 else [*_CONSISTENT, ("index", max(1, index)), ("wait", f"{wait:g}s")]
        return await self._read(keys.join(self._prefix, own_name(name)), params)

    async def watch_all_own(self, index: int, *, wait: float = 55.0) -> tuple[dict[str, Entry], int]:
        """Wait as ``watch_own`` does, for any of syncd's own keys; return them all by name, and their index."""
        path = f"/v1/kv/{keys.own_prefix(self._prefix)}{own_name('')}"
        gathering = Gathering(self._prefix, None, where=f"watch of {path} at {self._endpoint}", part=own_name(""))
        waiting: Params = (("index", index), ("wait", f"{wait:g}s")) if index else ()
        found = await self._gather(path, (("recurse", ""), *waiting, *_CONSISTENT), gathering)
        return gathering.finish(found).own, found

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

    async def _read(self, key: str, params: Params = _CONSISTENT) -> tuple[Entry | None, int]:
        where = f"GET {key} at {self._endpoint}"

        def read(reply: Reply) -> tuple[Entry | None, int]:
            index = trusted_index(reply.headers, where)
            return (only(reply.body, key, where) if reply.code == 200 else None), index

        return await self._client.http.get(read, f"/v1/kv/{key}", params)


def own_name(name: str) -> str:
    """Name one of syncd's own keys, below the prefix."""
    return f"{keys.RESERVED}/{name}"
