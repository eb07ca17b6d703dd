"""The state directory: one process at a time, kept over restarts, refused where it cannot be used."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.core.desired import DesiredKey, Policy, StoredBaseKey
from syncd.core.digest import value_hash
from syncd.core.errors import StateError
from syncd.core.record import Applied
from syncd.daemon.state import State
from syncd.database import open_database

OPEN = "import sys; from pathlib import Path; from syncd.daemon.state import State; State.open(Path(sys.argv[1]))"


def keys(**values: str) -> dict[str, DesiredKey]:
    return {key: DesiredKey(value.encode(), "a.yaml", 1, 1, False, Policy()) for key, value in values.items()}


def applied(commit: str, digest: str = "d") -> Applied:
    return Applied(commit, "main", "Ana", "Why", 1, 1, digest)


def kept(**values: str) -> dict[str, StoredBaseKey]:
    return {key: StoredBaseKey(value_hash(value.encode()), "a.yaml", False) for key, value in values.items()}


async def test_facts_outlive_the_process(tmp_path: Path) -> None:
    state = State.open(tmp_path / "new" / "state")
    assert state.recall("session") is None
    state.remember("session", "one")
    state.remember("session", "two")
    state.remember("lineage", "line")
    state.remember("lineage", None)
    await state.close()
    again = State.open(tmp_path / "new" / "state")
    assert (again.recall("session"), again.recall("lineage")) == ("two", None)
    await again.close()
    assert (tmp_path / "new" / "state").stat().st_mode & 0o077 == 0, "others may not look"


async def test_the_applied_keys_come_back_for_exactly_that_revision(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    state.keep_base(applied("c1"), keys(a="1", b="2"), None, None)
    state.keep_base(applied("c2"), keys(a="1", b="3", c="4"), applied("c1"), ["b", "c", "gone"])
    state.keep_base(applied("c3"), keys(a="1", c="4"), applied("c2"), ["b"])
    await state.close()
    again = State.open(tmp_path)
    assert await again.base(applied("c3")) == kept(a="1", c="4")
    assert await again.base(applied("c3", "other")) is None
    assert await again.base(applied("c2")) is None
    again.keep_base(applied("c5"), keys(z="9", a="1"), applied("c4"), ["z"])
    await again.close()
    again = State.open(tmp_path)
    assert await again.base(applied("c5")) == kept(z="9", a="1"), "another node applied c4: all keys are kept anew"
    await again.close()


async def test_a_second_process_is_told_that_the_first_one_is_there(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    assert "another syncd uses this state directory (stop it" in opened_elsewhere(tmp_path)
    await state.close()
    assert opened_elsewhere(tmp_path) == ""


def opened_elsewhere(directory: Path) -> str:
    """Open the directory in another process, and return what it says."""
    words = [sys.executable, "-c", OPEN, str(directory)]
    return subprocess.run(words, capture_output=True, text=True, check=False).stderr


async def test_whoever_only_reads_need_not_wait(tmp_path: Path) -> None:
    assert State.peek(tmp_path) is None
    state = State.open(tmp_path)
    state.remember("lineage", "line")
    reading = State.peek(tmp_path)
    assert reading is not None
    assert reading.recall("lineage") == "line"
    await reading.close()
    await state.close()


def test_a_damaged_or_newer_database_is_not_peeked_into(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"rubbish" * 1000)
    assert State.peek(tmp_path) is None
    (tmp_path / "state.db").unlink()
    newer(tmp_path / "state.db")
    assert State.peek(tmp_path) is None


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1000")
    connection.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    newer(tmp_path / "state.db")
    before = (tmp_path / "state.db").read_bytes()
    for _ in range(2):  # the lock was given back
        with pytest.raises(StateError, match=r"version is 1000, this syncd knows .* nothing was changed"):
            State.open(tmp_path)
    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (1000,)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    assert before


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(StateError, match=r"state.db: the database cannot be used: file is not a database \(check"):
        State.open(tmp_path)


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"the state directory cannot be used: .* --state-directory"):
        State.open(tmp_path / "file" / "state")
    with pytest.raises(StateError, match=r"the database cannot be used: "):
        open_database(tmp_path, tmp_path)


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    (scripts / "0001_first.sql").write_text("CREATE TABLE a (x);")
    (scripts / "0002_second.sql").write_text("CREATE TABLE b (x); CREATE TABLE a (x);")
    with pytest.raises(StateError, match="table a already exists"):
        open_database(tmp_path / "x.db", scripts)
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]
    connection.close()
    (scripts / "0002_second.sql").write_text("CREATE TABLE b (x);")
    connection = open_database(tmp_path / "x.db", scripts)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


async def test_keys_that_cannot_be_kept_are_only_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They stand in for git where git has lost the commit: no reason to stop."""
    state = State.open(tmp_path)
    state._connection.execute("DROP TABLE base")
    state.keep_base(applied("c1"), keys(a="1"), None, None)
    await state.close()
    assert "could not be kept in the state directory" in capsys.readouterr().out
