"""Noticing at once that a branch may have moved or a file may have been edited."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import msgspec

from syncd.git import inotify
from syncd.git.repository import Repository
from syncd.log import get_logger

RESCAN: Final = 5.0
"""Seconds between two looks that need no notification: bind and network mounts send none."""

_log = get_logger(__name__)


class Watch(msgspec.Struct, frozen=True):
    """How one set of folders is watched; times in milliseconds, as watchfiles takes them.

    ``folders`` is asked again whenever something changed, because a folder of refs comes and goes with its refs.
    What is not ``recursive`` is watched by inotify where there is one, which needs no steps.
    """

    folders: Callable[[], tuple[Path, ...]]
    counts: Callable[[Path], bool]
    recursive: bool
    debounce: int
    step: int


def watch_refs(repository: Repository, branch: str) -> Watch:
    """Watch what can move a branch or HEAD: loose refs, packed refs. Its steps are short: people wait for it."""
    refs = repository.common / "refs"
    chain = [folder for folder in (refs / "heads" / branch).parents if refs in (folder, *folder.parents)]
    wanted = sorted({repository.common, repository.own, *chain})

    def folders() -> tuple[Path, ...]:
        return tuple(folder for folder in wanted if folder.is_dir())

    def counts(path: Path) -> bool:
        if path.suffix == ".lock":
            return False
        if path.parent in (repository.common, repository.own):
            return path.name in ("packed-refs", "HEAD", "refs", "shallow")
        return True

    return Watch(folders, counts, recursive=False, debounce=10, step=2)


def watch_files(root: Path) -> Watch:
    """Watch the tree's files on disk; an editor's several steps of one save count once."""

    def folders() -> tuple[Path, ...]:
        return (root,) if root.is_dir() else ()

    return Watch(folders, lambda path: ".git" not in path.parts, recursive=True, debounce=50, step=25)


async def follow(
    watches: Iterable[Watch], look: Callable[[], Awaitable[object]], *, every: float = RESCAN
) -> AsyncGenerator[None, None]:
    """Yield once, then after every possible change; several changes while the reader is busy count once.

    ``look`` returns what tells one state from another; asked ``every`` few seconds, it is the net under the watches.
    """
    changed = asyncio.Event()
    changed.set()
    tasks = [asyncio.create_task(_watch(watch, changed, every)) for watch in watches]
    try:
        # A task's first step sets its watch up, and the net is spread, before the reader looks for the first time.
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(_rescan(look, await look(), changed, every)))
        while True:
            await changed.wait()
            changed.clear()
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(watch: Watch, changed: asyncio.Event, every: float) -> None:
    said = ""
    while True:
        try:
            await _watch_while_there(watch, changed, every)
        except Exception as error:  # noqa: BLE001  # whatever a watch met, following goes on
            if str(error) != said:
                said = str(error)
                _log.warning("changes cannot be watched; looking every few seconds instead", why=said)
        await asyncio.sleep(every)
        if watch.folders():  # what came while nothing was watched may be a change
            changed.set()


async def _watch_while_there(watch: Watch, changed: asyncio.Event, every: float) -> None:
    """Watch until there is nothing to be watched, anew whenever the folders became other ones."""
    while folders := _identify(watch.folders()):
        async with aclosing(_notices(watch, [path for path, _ in folders], every)) as notices:
            async for paths in notices:
                told = any(watch.counts(path) for path in paths)
                if told:
                    changed.set()
                if (told or not paths) and _identify(watch.folders()) != folders:
                    changed.set()
                    break


def _notices(watch: Watch, folders: Sequence[Path], every: float) -> AsyncGenerator[tuple[Path, ...], None]:
    if watch.recursive or not inotify.available():
        return _by_watchfiles(watch, folders, every)
    return inotify.notices(folders, every)


async def _by_watchfiles(watch: Watch, folders: Sequence[Path], every: float) -> AsyncGenerator[tuple[Path, ...], None]:
    from watchfiles import awatch  # noqa: PLC0415  # takes longer than a short command, which follows nothing

    async with aclosing(
        awatch(
            *folders,
            watch_filter=lambda _, path: watch.counts(Path(path)),
            debounce=watch.debounce,
            step=watch.step,
            recursive=watch.recursive,
            rust_timeout=int(every * 1000),
            yield_on_timeout=True,
        )
    ) as batches:
        async for changes in batches:
            yield tuple(Path(path) for _, path in changes)


def _identify(folders: Iterable[Path]) -> tuple[tuple[Path, int], ...]:
    found = []
    for folder in folders:
        with suppress(OSError):  # gone since it was listed
            found.append((folder, folder.stat().st_ino))
    return tuple(found)


async def _rescan(look: Callable[[], Awaitable[object]], known: object, changed: asyncio.Event, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        now = await look()
        if now != known:
            changed.set()
        known = now
