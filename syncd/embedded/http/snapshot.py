"""``/v1/snapshot``: all of the store, out and in."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from aiohttp.web import Response, StreamResponse

from syncd.core.errors import Damaged
from syncd.embedded import snapshots
from syncd.embedded.errors import NotOurs
from syncd.embedded.http import answers
from syncd.embedded.http.answers import Problem
from syncd.embedded.http.call import Call
from syncd.embedded.http.reads import check_consistency, check_datacenter
from syncd.embedded.node import Node

_FAILED = "failed to restore snapshot"
_NOT_OURS = (
    f"{_FAILED}: it is one of a Consul, and this is syncd's embedded store. Bring its keys over: "
    "syncd snapshot extract FILE --prefix P, then consul kv import. Nothing was changed"
)


async def get(node: Node, call: Call) -> StreamResponse:
    """Stream everything, as of one moment."""
    check_consistency(call)
    check_datacenter(call)
    image = await node.image()
    headers = {"Content-Type": "application/x-gzip", **answers.meta(image.indexes.last)}
    return await call.stream(_ahead(snapshots.write(image)), headers)


async def _ahead(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece on a thread: meanwhile others are answered."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def put(node: Node, call: Call) -> Response:
    """Replace everything, once all of it has come and is proved."""
    check_datacenter(call)
    incoming = snapshots.Incoming()
    try:
        async for piece in call.pieces():
            await asyncio.to_thread(incoming.feed, piece)
        image = incoming.finish()
    except NotOurs:
        raise Problem(400, _NOT_OURS, close=True) from None
    except Damaged as error:
        raise Problem(400, f"{_FAILED}: {error.message}. Nothing was changed", close=True) from None
    await node.restore(image)
    return Response()
