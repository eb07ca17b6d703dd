"""Linux's notices of changed folders."""

import asyncio
import ctypes
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from syncd.git import inotify
from tests.support.waiting import LIMIT

OFTEN = 0.01


@asynccontextmanager
async def watching(*folders: Path) -> AsyncIterator[AsyncGenerator[tuple[Path, ...], None]]:
    notices = inotify.notices(folders, OFTEN)
    try:
        assert await anext(notices) == ()  # nothing happened; from here on everything is told
        yield notices
    finally:
        await notices.aclose()


async def until_told(notices: AsyncGenerator[tuple[Path, ...], None], path: Path) -> None:
    async with asyncio.timeout(LIMIT):
        while path not in await anext(notices):
            pass


async def test_what_comes_changes_moves_and_goes_is_told_by_its_path(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    async with watching(one, other) as notices:
        (one / "a").write_text("1")
        await until_told(notices, one / "a")
        (one / "a").rename(other / "b")
        await until_told(notices, other / "b")
        (other / "b").write_text("2")
        await until_told(notices, other / "b")
        (other / "b").unlink()
        await until_told(notices, other / "b")


async def test_a_folder_that_goes_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with watching(folder) as notices:
        folder.rename(tmp_path / "elsewhere")
        await until_told(notices, folder)
        (tmp_path / "elsewhere").rmdir()
        await until_told(notices, folder)


async def test_what_is_not_there_or_no_folder_cannot_be_watched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(OSError, match=r"No such file|Not a directory"):
            await anext(inotify.notices([tmp_path / name], OFTEN))


async def test_lost_notices_are_told_as_changes_of_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overflow = struct.pack("iIII", -1, 0x4000, 0, 0)
    async with watching(tmp_path) as notices:
        monkeypatch.setattr("os.read", lambda *_: overflow)
        assert await anext(notices) == (tmp_path,)


def test_a_system_without_inotify_is_known_by_its_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inotify.available()
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    assert not inotify.available()
