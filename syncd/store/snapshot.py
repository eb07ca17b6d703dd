"""The store's whole state as one stream: ``GET /v1/snapshot``."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from syncd.core.errors import Denied, NotFound, Unreachable
from syncd.store.answers import trusted_index
from syncd.store.faults import BUSY_HINT
from syncd.store.transport import Transport

_PATH: Final = "/v1/snapshot"
_PIECE: Final = 256 * 1024
_LONGEST: Final = 3600.0
"""Seconds for all of it, whatever comes in between: a snapshot of gigabytes may take minutes."""
_FIRST: Final = 10
"""The first byte may take so many times longer than the next ones: the server writes all of it to its disk before."""
_DENIED: Final = (
    "a snapshot holds every secret of the cluster, so Consul asks for a management token: "
    "put one into a file of its own and name that in snapshots.token_file"
)


@asynccontextmanager
async def open_snapshot(http: Transport, patience: float, address: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Ask for a snapshot and hand out its bytes as they come; an error unless the server knew a leader.

    ``patience`` is how many seconds the next bytes may be awaited. Nothing that came is whole before the last byte has
    come without an error.
    """
    where = f"GET {_PATH} at {address}"
    try:
        async with asyncio.timeout(patience * _FIRST) as deadline, http.open("GET", _PATH, patience=_LONGEST) as answer:
            if answer.status != 200:
                raise NotFound("this store offers no snapshots", where=where, hint="is this the address of a Consul?")
            trusted_index(answer.headers, where)
            yield _pieces(answer.content, deadline, patience)
    except Denied as error:
        raise Denied(error.message, where=where, hint=_DENIED) from None
    except TimeoutError:
        raise Unreachable("no answer in time", where=where, hint=BUSY_HINT) from None


async def restore_snapshot(http: Transport, pieces: AsyncIterable[bytes], address: str) -> None:
    """Replace the whole store by an archive; UnknownOutcome means that it was, or that nothing was changed."""
    where = f"PUT {_PATH} at {address}"
    try:
        async with http.open("PUT", _PATH, body=pieces, patience=_LONGEST) as answer:
            if answer.status != 200:
                raise NotFound("this store takes no snapshots", where=where, hint="is this the address of a Consul?")
            await answer.read()
    except Denied as error:
        raise Denied(error.message, where=where, hint=_DENIED) from None


async def _pieces(content: aiohttp.StreamReader, deadline: asyncio.Timeout, patience: float) -> AsyncIterator[bytes]:
    """Read on; what whoever reads does with a piece does not count as waiting."""
    clock = asyncio.get_running_loop().time
    deadline.reschedule(clock() + patience)
    async for piece in content.iter_chunked(_PIECE):
        deadline.reschedule(None)
        yield piece
        deadline.reschedule(clock() + patience)
    deadline.reschedule(None)
