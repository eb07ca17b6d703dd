"""The durable log: what has been committed here survives a crash of the process or the machine."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from syncd.core.errors import StateError
from syncd.embedded.records import Entry, Session
from syncd.embedded.state import Image, Indexes
from syncd.embedded.step import Changes

K = TypeVar("K", bytes, str)
R = TypeVar("R")
_UNSIGNED = 2**64


class Database:
    """An SQLite file that one process holds at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._sql = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._take()
                self._migrate()
        except BaseException:
            self._sql.close()
            raise

    def load(self) -> Image:
        """Read all that was committed."""
        with self._explained():
            return Image(
                Indexes(*self._sql.execute("SELECT last, keys, sessions FROM indexes").fetchone()),
                dict(map(_entry, self._sql.execute("SELECT * FROM entries"))),
                dict(self._sql.execute("SELECT * FROM tombstones")),
                dict(map(_session, self._sql.execute("SELECT * FROM sessions"))),
            )

    def commit(self, changes: Changes, indexes: Indexes) -> None:
        """Write ``changes`` durably, all or nothing."""
        try:
            self._sql.execute("BEGIN")
            self._write(changes, indexes)
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Let the file go."""
        self._sql.close()

    def _write(self, changes: Changes, indexes: Indexes) -> None:
        self._replace("entries", "key", changes.entries, _entry_row)
        self._replace("tombstones", "key", changes.tombstones, lambda key, index: (key, index))
        self._replace("sessions", "id", changes.sessions, _session_row)
        counted = (indexes.last, indexes.keys, indexes.sessions)
        self._sql.execute("UPDATE indexes SET last = ?, keys = ?, sessions = ?", counted)

    def _replace(
        self, table: str, name: str, records: Mapping[K, R | None], row: Callable[[K, R], tuple[Any, ...]]
    ) -> None:
        gone = [(key,) for key, record in records.items() if record is None]
        here = [row(key, record) for key, record in records.items() if record is not None]
        if gone:
            self._sql.executemany(f"DELETE FROM {table} WHERE {name} = ?", gone)  # noqa: S608  # our own names
        if here:
            places = ", ".join("?" * len(here[0]))
            self._sql.executemany(f"REPLACE INTO {table} VALUES ({places})", here)  # noqa: S608  # our own names

    def _take(self) -> None:
        # In this mode SQLite's lock is held from here until the file is closed or the process is gone.
        self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.execute("BEGIN EXCLUSIVE")
        self._sql.execute("COMMIT")

    def _migrate(self) -> None:
        migrations = _migrations()
        (version,) = self._sql.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise StateError(
                f"the database is of version {version}, this syncd knows up to {len(migrations)}",
                where=str(self._path),
                hint="use the newer syncd that wrote it, or another file",
            )
        for number, migration in enumerate(migrations[version:], version + 1):
            self._sql.executescript(f"BEGIN; {migration}; PRAGMA user_version = {number}; COMMIT;")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            busy = problem.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            text = "the database is in use by another process" if busy else f"the database cannot be used: {problem}"
            hint = "stop the other syncd, or name another file" if busy else "name another file, or move this one away"
            raise StateError(text, where=str(self._path), hint=hint) from problem
        except OSError as problem:
            text = f"the database cannot be opened: {problem.strerror}"
            raise StateError(text, where=str(self._path), hint="check the directory and its owner") from problem


def _migrations() -> list[str]:
    folder = resources.files("syncd.embedded") / "migrations"
    return [each.read_text() for each in sorted(folder.iterdir(), key=lambda each: each.name)]


def _entry_row(key: bytes, e: Entry) -> tuple[Any, ...]:
    flags = e.flags if e.flags < _UNSIGNED // 2 else e.flags - _UNSIGNED
    return (key, e.value, flags, e.session or None, e.lock_index, e.create_index, e.modify_index)


def _entry(row: tuple[Any, ...]) -> tuple[bytes, Entry]:
    key, value, flags, session, lock_index, create_index, modify_index = row
    shown = key.decode("utf-8", "replace")
    return key, Entry(lock_index, shown, flags % _UNSIGNED, value, session or UNSET, create_index, modify_index)


def _session_row(name: str, session: Session) -> tuple[Any, ...]:
    return (name, msgspec.json.encode(session))


def _session(row: tuple[str, bytes]) -> tuple[str, Session]:
    return row[0], msgspec.json.decode(row[1], type=Session)
