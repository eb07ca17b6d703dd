"""A daemon in this process with its HTTP door, on an embedded store of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from msgspec.structs import replace
from structlog.testing import capture_logs

from syncd.core.subscriber import Subscriber
from syncd.embedded.server import start
from tests.support.node import daemon, node
from tests.support.repository import Repository
from tests.support.waiting import until

NOWHERE = "http://127.0.0.1:1"


class Served(NamedTuple):
    """A client of the daemon's socket, and its address by TCP, "" where there is none."""

    client: aiohttp.ClientSession
    address: str


@asynccontextmanager
async def serving(
    repository: Repository,
    folder: Path,
    *,
    ready: bool = True,
    store: bool = True,
    listens_by_default: bool = False,
    subscribers: tuple[Subscriber, ...] = (),
    **more: Any,
) -> AsyncIterator[Served]:
    """Run a daemon, and wait until it is ready; with ``store=False`` its store does not answer.

    ``listens_by_default``: as if nobody had asked for its port.
    """
    server = await start(folder / "store.db", port=0)
    try:
        address = server.address if store else NOWHERE
        async with node(repository, address, "config", folder / "home", **more) as parts:
            origins = dict(parts.settings.origins) | ({"http.listen": "default"} if listens_by_default else {})
            made = replace(parts, settings=replace(parts.settings, origins=origins, subscribers=subscribers))
            with capture_logs() as logs:
                async with daemon(made):
                    connector = aiohttp.UnixConnector(str(parts.settings.http.socket))
                    async with aiohttp.ClientSession("http://localhost", connector=connector) as client:
                        if ready:
                            await until(lambda: _is_ready(client), "a whole revision")
                        yield Served(client, _address(logs))
    finally:
        await server.close()


def _address(logs: list[Any]) -> str:
    return next((str(each["address"]) for each in logs if each["event"] == "answering" and "address" in each), "")


async def _is_ready(client: aiohttp.ClientSession) -> bool:
    async with client.get("/readyz") as answer:
        return answer.status == 200
