"""SQLite files with a version: opened, migrated, or refused."""

import os
import sqlite3
from pathlib import Path
from typing import Literal

from syncd.core.errors import StateError


def open_database(
    path: Path, migrations: Path, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
) -> sqlite3.Connection:
    """Open a database in WAL mode and bring it to the newest version.

    ``migrations`` holds ``0001_name.sql``, ``0002_…``: the number is the version that the file makes. The connection
    is in autocommit mode and may be used from one thread at a time. Raises StateError where the file cannot be used,
    or was written by a newer syncd.
    """
    connection: sqlite3.Connection | None = None
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        _migrate(connection, path, migrations)
    except (OSError, sqlite3.Error) as error:
        if connection is not None:
            connection.close()
        raise StateError(
            f"the database cannot be used: {error}", where=str(path), hint="check its owner, mode and free space"
        ) from error
    except StateError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Path) -> None:
    scripts = sorted(migrations.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise StateError(
            f"its version is {version}, this syncd knows versions up to {len(scripts)}",
            where=str(path),
            hint="use the syncd that wrote it, or a newer one; nothing was changed",
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        connection.executescript(f"BEGIN;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")
