"""The durable log: what has been committed here survives a crash of the process or the machine."""

import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET

from syncd.core.errors import StateError
from syncd.database import open_database
from syncd.embedded.records import Entry, Session
from syncd.embedded.state import Image, Indexes
from syncd.embedded.step import Changes

K = TypeVar("K", bytes, str)
R = TypeVar("R")
_UNSIGNED: Final = 2**64
_MIGRATIONS: Final = Path(__file__).with_name("migrations")


class Database:
    """An SQLite file that one process holds at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = _lock(path)
        try:
            self._sql = open_database(path, _MIGRATIONS, synchronous="FULL")
        except StateError:
            os.close(self._lock)
            raise

    def load(self) -> Image:
        """Read all that was committed."""
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
        os.close(self._lock)

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


def _lock(path: Path) -> int:
    """Lock a file beside ``path`` until it is closed, or until this process is gone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "check that its directory is there, and its owner and mode"
        raise StateError(f"the database cannot be opened: {error.strerror}", where=str(path), hint=hint) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        hint = "stop the other syncd, or give this one a --state-directory (or, for store serve, a --data) of its own"
        raise StateError("the database is in use by another process", where=str(path), hint=hint) from error
    return lock


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
