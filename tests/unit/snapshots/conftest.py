"""A folder of snapshots, and a way to put some into it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path

import pytest

from syncd.snapshots.folder import Folder
from syncd.snapshots.taking import Taken, take
from tests.support.snapshots import control, kv, snapshot

Put = Callable[..., Taken]


async def in_pieces(content: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "snapshots")


@pytest.fixture
def put(folder: Folder) -> Put:
    """Take a snapshot of hand-made bytes."""

    def put(content: bytes | None = None, *, taken: int = 1_795_651_200, day: date = date(2026, 11, 26)) -> Taken:
        bytes_ = content if content is not None else snapshot(kv("app/a"), control("app", "c0ffee1" * 5))

        async def run() -> Taken:
            return await take(folder, in_pieces(bytes_), prefix="app", taken=taken, day=day, progress=lambda _: None)

        with folder.locked():
            return asyncio.run(run())

    return put
