"""Each test here runs on a real Consul and on the embedded store, and must not be able to tell them apart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.embedded.server import start
from tests.support.rest import Rest, takes_any_key


@pytest.fixture(params=[pytest.param("consul", marks=pytest.mark.consul), "embedded"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two stores this is."""
    name: str = request.param
    return name


@pytest.fixture
def any_key(kind: str) -> None:
    """Skip where Consul refuses keys with spaces, accents or dot segments (from 1.21 on)."""
    if kind == "consul" and not takes_any_key():
        pytest.skip("this Consul refuses such keys")


@pytest.fixture
async def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where the store answers."""
    if kind == "consul":
        yield request.getfixturevalue("consul").address
        return
    server = await start(tmp_path / "store.db", port=0)
    yield server.address
    await server.close()


@pytest.fixture
async def store(address: str) -> AsyncIterator[Rest]:
    """The store, with a prefix of the test's own."""
    async with Rest(address) as client:
        yield client
        await client.call("DELETE", f"/v1/kv/{client.prefix}/?recurse")
