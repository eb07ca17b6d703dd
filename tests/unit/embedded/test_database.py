from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import StateError
from syncd.embedded.database import Database
from syncd.embedded.records import Entry, Session
from syncd.embedded.state import Indexes
from syncd.embedded.step import Changes

ENTRY = Entry(1, "a/é", 2**64 - 1, b"\x00\xff", "session", 3, 4)
SESSION = Session("id", "n", "syncd", 15 * 10**9, "release", "10s", ("serfHealth",), None, 5, 5)
indexes = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
entries = st.builds(
    Entry,
    indexes,
    texts,
    st.integers(0, 2**64 - 1),
    st.binary(min_size=1) | st.none(),
    texts.filter(bool),
    indexes,
    indexes,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.db"


def test_what_was_committed_is_loaded_again(path: Path) -> None:
    database = Database(path)
    changes = Changes({b"a/\xc3\xa9": ENTRY, b"b": ENTRY}, {b"gone": 7}, {"id": SESSION})
    database.commit(changes, Indexes(8, 7, 5))
    database.commit(Changes({b"b": None}, {b"b": 9}, {}), Indexes(9, 9, 5))
    database.close()
    again = Database(path)
    image = again.load()
    again.close()
    assert image.entries == {b"a/\xc3\xa9": ENTRY}
    assert image.tombstones == {b"gone": 7, b"b": 9}
    assert image.sessions == {"id": SESSION}
    assert image.indexes == Indexes(9, 9, 5)


@given(entries)
def test_any_entry_survives(tmp_path_factory: pytest.TempPathFactory, entry: Entry) -> None:
    path = tmp_path_factory.mktemp("database") / "store.db"
    database = Database(path)
    database.commit(Changes({entry.key.encode(): entry}), Indexes())
    assert database.load().entries == {entry.key.encode(): entry}
    database.close()


def test_two_may_not_use_one_database(path: Path) -> None:
    first = Database(path)
    with pytest.raises(StateError, match="in use by another process") as error:
        Database(path)
    assert "--state-directory" in error.value.hint
    assert error.value.hint
    first.close()
    Database(path).close()


def test_a_newer_version_is_refused_and_kept(path: Path) -> None:
    database = Database(path)
    database._sql.execute("PRAGMA user_version = 99")
    database.close()
    for _ in range(2):
        with pytest.raises(StateError, match="version is 99"):
            Database(path)


def test_what_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StateError, match="not a database"):
        Database(path)
    assert path.read_bytes() == b"something else entirely" * 100


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be opened") as error:
        Database(tmp_path / "file" / "store.db")
    assert error.value.hint


def test_only_its_owner_may_read_it(path: Path) -> None:
    Database(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
