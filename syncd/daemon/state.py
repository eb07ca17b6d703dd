"""What a node remembers between runs, in its state directory: the session, the lineage, the applied keys."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal

from syncd.core.desired import DesiredKey, StoredBaseKey
from syncd.core.errors import StateError
from syncd.core.record import Applied
from syncd.database import open_database
from syncd.log import get_logger

log = get_logger(__name__)

MIGRATIONS: Final = Path(__file__).parent / "migrations"

Keys = Collection[str] | None
"""The keys that changed; None where that is not known."""
Fact = Literal["session", "lineage", "base-commit", "base-digest"]


class State:
    """The state directory of one source on one node, held by one process at a time."""

    def __init__(self, connection: sqlite3.Connection, lock: int | None) -> None:
        self._connection = connection
        self._lock = lock
        self._turn = asyncio.Lock()
        self._pending: set[asyncio.Task[None]] = set()

    @classmethod
    def open(cls, directory: Path) -> "State":
        """Open or make the directory (mode 0700); raise StateError where it cannot be used or is in use."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"the state directory cannot be used: {error.strerror}",
                where=str(directory),
                hint="check its owner and mode, or name another with --state-directory",
            ) from error
        try:
            # Not flock: a git process that was just forked would inherit that, and keep it when this process is killed.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(open_database(directory / "state.db", MIGRATIONS), lock)
        except BlockingIOError:
            os.close(lock)
            raise StateError(
                "another syncd uses this state directory",
                where=str(directory),
                hint="stop it, or give this one its own with --state-directory",
            ) from None
        except StateError:
            os.close(lock)
            raise

    @classmethod
    def peek(cls, directory: Path) -> "State | None":
        """Open the directory to read only, also while another process holds it; None where there is nothing to read."""
        path = directory / "state.db"
        if not os.access(path, os.R_OK):
            return None
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            return None
        if version == len(list(MIGRATIONS.glob("*.sql"))):
            return cls(connection, None)
        connection.close()
        return None

    async def close(self) -> None:
        """Let what is being kept come to its end, close the database and let another process in."""
        await asyncio.gather(*self._pending)
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)

    def recall(self, fact: Fact) -> str | None:
        """Return a remembered fact, or None."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (fact,)).fetchone()
        return row[0] if row else None

    def remember(self, fact: Fact, value: str | None) -> None:
        """Keep a fact, or forget it (None). Every fact only saves time or adds care, so a failure is only logged."""
        try:
            self._write_fact(fact, value)
        except sqlite3.Error as error:
            log.warning("the state directory cannot be written", fact=fact, error=str(error))

    def _write_fact(self, fact: Fact, value: str | None) -> None:
        if value is None:
            self._connection.execute("DELETE FROM fact WHERE name = ?", (fact,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (fact, value))

    async def base(self, applied: Applied) -> Mapping[str, StoredBaseKey] | None:
        """Return the keys kept for exactly that revision, or None."""
        async with self._turn:
            return await asyncio.to_thread(self._read_base) if self._is_kept(applied) else None

    def keep_base(self, applied: Applied, keys: Mapping[str, DesiredKey], since: Applied | None, changed: Keys) -> None:
        """Keep the keys of an applied revision in the background; only ``changed`` where ``since`` is kept.

        They stand in for git where git has lost the commit, so nobody waits for them and a failure is only logged.
        """
        task = asyncio.create_task(self._keep_base(applied, keys, since, changed))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _keep_base(
        self, applied: Applied, keys: Mapping[str, DesiredKey], since: Applied | None, changed: Keys
    ) -> None:
        async with self._turn:
            try:
                # Asked here, in turn: the write before this one may just have come to its end.
                step = since is not None and self._is_kept(since)
                await asyncio.to_thread(self._write_base, applied, keys, changed if step else None)
            except sqlite3.Error as error:
                log.warning("the applied keys could not be kept in the state directory", error=str(error))

    def _is_kept(self, applied: Applied) -> bool:
        return (self.recall("base-commit"), self.recall("base-digest")) == (applied.commit, applied.digest)

    def _read_base(self) -> dict[str, StoredBaseKey]:
        rows = self._connection.execute("SELECT key, hash, path, secret FROM base")
        return {key: StoredBaseKey(hash_, path, bool(secret)) for key, hash_, path, secret in rows}

    def _write_base(self, applied: Applied, keys: Mapping[str, DesiredKey], changed: Keys) -> None:
        names = keys.keys() if changed is None else tuple(changed)
        kept = ((name, keys[name].hash, keys[name].path, keys[name].secret) for name in names if name in keys)
        gone = () if changed is None else tuple((name,) for name in names if name not in keys)
        with self._connection:
            self._connection.execute("BEGIN")
            if changed is None:
                self._connection.execute("DELETE FROM base")
            self._connection.executemany("DELETE FROM base WHERE key = ?", gone)
            self._connection.executemany("INSERT OR REPLACE INTO base VALUES (?, ?, ?, ?)", kept)
            self._write_fact("base-commit", applied.commit)
            self._write_fact("base-digest", applied.digest)
