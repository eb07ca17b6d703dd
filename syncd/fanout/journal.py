"""The journal of what was published, and the outbox: how far each subscriber was told. Both in one SQLite file."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from syncd.core.errors import StateError
from syncd.core.event import Event, size_of
from syncd.database import open_database
from syncd.fanout import tables
from syncd.fanout.tables import Delivery, Head, Published, Row, Standing
from syncd.fanout.writer import Writer
from syncd.log import get_logger

log = get_logger(__name__)

T = TypeVar("T")

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_PRUNE_WRITES: Final = 64
_PRUNE_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.05
"""Acknowledgements come by the hundred: one transaction for all is cheaper, and is not written beside the tries."""


class Journal:
    """Made by ``open`` inside a running loop; ``close`` it.

    ``head`` is what was published last; whoever publishes holds ``publishing`` from reading it on. ``standings`` says
    how far each subscriber was told; whoever changes a standing calls ``acknowledge``. Methods raise StateError where
    the disk does not take or give something.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, head: Head, standings: dict[str, Standing]) -> None:
        self._path = path
        self._inode = path.stat().st_ino
        self._writer = Writer(connection)
        self._acknowledged: list[Standing] = []
        self._ended: list[Delivery] = []
        self._stored = {name: each.defined for name, each in standings.items()}
        self._flushing: asyncio.Task[None] | None = None
        self._writes = _PRUNE_WRITES  # whatever an earlier process left
        self._pruned_at = 0.0
        self.publishing = asyncio.Lock()
        self.head = head
        self.standings = standings

    @classmethod
    def open(cls, directory: Path) -> "Journal":
        """Open or make ``journal.db`` in the state directory."""
        path = directory / "journal.db"
        connection = open_database(path, MIGRATIONS, synchronous="FULL")
        try:
            return cls(path, connection, tables.read_head(connection), tables.read_standings(connection))
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            connection.close()
            raise _unusable(path, error) from error

    async def close(self) -> None:
        """Write what was acknowledged, then close."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
        if self._acknowledged:
            await asyncio.gather(self._write_acknowledged(), return_exceptions=True)
        await self._writer.close()

    async def published(self) -> dict[str, Published]:
        """Return every key as it was last published."""
        return await self._run(tables.read_published)

    async def publish(
        self,
        event: Event | None,
        head: Head,
        keys: Iterable[tuple[str, bytes, bool]],
        gone: Iterable[str] = (),
        *,
        now: float,
        everything: bool = False,
        hide: AbstractSet[str] = frozenset(),
    ) -> Event | None:
        """Write an event, the keys that it changed and the head in one transaction; return it with its number.

        Without an event only the keys are noted, each with its value's hash and whether it is secret; the iterable is
        read in another thread. ``everything``: there are no other keys. ``hide`` names keys that have just become
        secret: earlier events lose their values.
        """

        def write(connection: sqlite3.Connection) -> Head:
            if hide:
                tables.hide(connection, hide)
            tables.write_published(connection, keys, gone, everything=everything)
            return tables.write_event(connection, event, head)

        with suppress(StateError):  # the write says what is wrong
            await self.tidy(now)
        self.head = await self._run(write)
        # From here on nothing is waited for: a try that ends before the event is told would pass over it.
        self._writes += 1 + (size_of(event.changes) >> 16 if event else 0)
        return msgspec.structs.replace(event, seq=self.head.seq) if event else None

    async def events(self, after: int, upto: int) -> list[Event] | None:
        """Return the events after one up to another; None where not all of them are kept, or one is damaged."""
        return await self._run(lambda connection: tables.read_events(connection, after, upto))

    async def find(self, id_: str) -> int | None:
        """Return an event's number by its id."""
        return await self._run(lambda connection: tables.find_event(connection, id_))

    async def last_before(self, time: float) -> int | None:
        """Return the number of the last event before a time (Unix seconds)."""
        return await self._run(lambda connection: tables.last_before(connection, time))

    async def deliveries(self, subscriber: str, most: int) -> list[Delivery]:
        """Return a subscriber's deliveries that came to an end, the newest first."""
        if self._acknowledged:
            await self._write_acknowledged()
        return await self._run(lambda connection: tables.read_deliveries(connection, subscriber, most))

    async def tidy(self, now: float) -> None:
        """Keep the journal within its bounds: after so many writes, and at least every hour."""
        if self._writes < _PRUNE_WRITES and now < self._pruned_at + _PRUNE_SECONDS:
            return
        self._writes, self._pruned_at = 0, now
        standings = [tables.row_of(each) for each in self.standings.values()]

        def write(connection: sqlite3.Connection) -> None:
            tables.write_standings(connection, standings)  # who is idle must not be left behind by what is dropped
            tables.prune(connection, now)

        await self._run(write)

    async def forget(self, names: Sequence[str]) -> None:
        """Forget subscribers."""
        for name in names:
            self.standings.pop(name, None)
            self._stored.pop(name, None)
        await self._run(lambda connection: tables.forget(connection, names))

    def acknowledge(self, standing: Standing, delivery: Delivery | None) -> None:
        """Have a standing written as it stands by then, and a delivery that came to an end; nobody waits for it.

        What a crash loses of this is told once more: deliveries are made at least once.
        """
        self._acknowledged.append(standing)
        if delivery is not None:
            self._ended.append(delivery)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        said = ""
        while self._acknowledged:
            await asyncio.sleep(_GATHER_SECONDS)
            try:
                await self._write_acknowledged()
            except StateError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("deliveries cannot be noted; they may be made again after a restart", why=said)
                await asyncio.sleep(_RETRY_SECONDS)
        self._flushing = None

    async def _write_acknowledged(self) -> None:
        standings, self._acknowledged = self._acknowledged, []
        ended, self._ended = self._ended, []
        # As they stand now: a standing that has moved on meanwhile has also been acknowledged.
        told, rows = _sorted_out(standings, self._stored)
        self._stored.update((each.name, each.defined) for each in standings)
        self._writes += 1

        def write(connection: sqlite3.Connection) -> None:
            for upto, names in told.items():
                tables.write_told(connection, upto, msgspec.json.encode(names))
            tables.write_standings(connection, rows)
            tables.write_deliveries(connection, ended)

        try:
            await self._run(write)
        except StateError:
            self._stored = {}
            self._acknowledged = standings + self._acknowledged
            self._ended = ended + self._ended
            raise

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._demand_file()
            return await self._writer.run(job)
        except (sqlite3.Error, msgspec.MsgspecError, OSError) as error:
            raise _unusable(self._path, error) from error

    def _demand_file(self) -> None:
        """Refuse to write into a file that was deleted under us: nobody would find it again."""
        if self._path.stat().st_ino != self._inode:
            raise FileNotFoundError("the file is another one than at the start")


def _sorted_out(standings: Iterable[Standing], stored: Mapping[str, str]) -> tuple[dict[int, list[str]], list[Row]]:
    """Part those that took an event and have nothing else to note, by event, from the rest: most are such."""
    told: dict[int, list[str]] = {}
    rows: list[Row] = []
    for each in standings:
        other = each.retry is not None or each.disabled or each.replay or stored.get(each.name) != each.defined
        if each.told is None or other:
            rows.append(tables.row_of(each))
        else:
            told.setdefault(each.told, []).append(each.name)
    return told, rows


def _unusable(path: Path, error: Exception) -> StateError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = "free some space or mend its folder; nothing is told to subscribers until then"
    if isinstance(error, FileNotFoundError):
        hint = "put the file back, or restart syncd, which tells everyone the full state; nothing is told until then"
    return StateError(f"the journal cannot be used: {reason}", where=str(path), hint=hint)
