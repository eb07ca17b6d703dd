"""A repository with the seed's tree, and sources that are closed after the test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from syncd.git.source import Source
from tests.support.repository import TREE, Repository, seed_repository
from tests.support.sources import Open


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return seed_repository(tmp_path / "repository")


@pytest.fixture
async def open_source() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_one(place: Path, *, path: str = TREE, branch: str | None = None) -> Source:
            source = await Source.open(place, path=path, prefix=TREE, branch=branch)
            stack.push_async_callback(source.close)
            return source

        yield open_one


@pytest.fixture
async def source(repository: Repository, open_source: Open) -> Source:
    return await open_source(repository.folder)
