"""The journal and the outbox on disk: what survives, what is dropped, and what happens when the disk says no."""

import shutil
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.core.delivery import Retry
from syncd.core.errors import StateError
from syncd.core.event import Event, KeyChange
from syncd.fanout import tables
from syncd.fanout.journal import Journal
from syncd.fanout.tables import Delivery, Head, Published, Standing
from tests.support.waiting import until


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal.open(tmp_path)
    yield made
    await made.close()


def event(number: int, *, time: float = 0.0, value: bytes = b"1") -> Event:
    return Event(f"e-{number}", "revision", "e", number, time, (KeyChange("a", "update", None, value),), 1)


async def publish(journal: Journal, number: int, *, now: float = 0.0, value: bytes = b"1") -> Event:
    head = Head(journal.head.seq, journal.head.id, "e", number, "c")
    told = await journal.publish(event(number, time=now, value=value), head, [("a", b"h", False)], now=now)
    assert told is not None
    return told


async def reopened(journal: Journal, folder: Path) -> Journal:
    await journal.close()
    return Journal.open(folder)


async def test_a_fresh_journal_has_told_nothing(journal: Journal) -> None:
    assert journal.head == Head(journal=journal.head.journal)
    assert await journal.published() == {}
    assert journal.standings == {}


async def test_each_journal_has_a_name_of_its_own_for_good(journal: Journal, tmp_path: Path) -> None:
    """Ids carry it: another node's journal parts the same changes into other events."""
    (tmp_path / "other").mkdir()
    other = Journal.open(tmp_path / "other")
    again = await reopened(journal, tmp_path)
    try:
        assert journal.head.journal == again.head.journal != other.head.journal
    finally:
        await other.close()
        await again.close()


async def test_an_event_the_keys_and_the_head_stand_in_one_transaction(journal: Journal, tmp_path: Path) -> None:
    told = await publish(journal, 7)
    assert (told.seq, journal.head) == (1, Head(1, "e-7", "e", 7, "c"))
    await journal.publish(None, Head(1, "e-7", "f", 8, "d"), [("b", b"i", True)], ["a"], now=0.0)
    again = await reopened(journal, tmp_path)
    try:
        assert again.head == Head(1, "e-7", "f", 8, "d")
        assert await again.published() == {"b": Published(b"i", secret=True)}
        assert await again.events(0, 1) == [told]
    finally:
        await again.close()


# promise 12
async def test_what_becomes_a_secret_is_taken_out_of_what_was_told(journal: Journal, tmp_path: Path) -> None:
    secret = b"hunter2" * 999  # on pages of its own, that are freed
    await publish(journal, 1, value=secret)
    await journal._writer.run(lambda c: c.execute("INSERT INTO event (id, time, body) VALUES ('x', 0, 'damaged')"))
    head = Head(2, "x", "e", 2, "c", journal=journal.head.journal)
    await journal.publish(None, head, [("a", b"h", True)], now=0.0, hide={"a"})
    kept = await journal.events(0, 1)
    assert kept is not None
    assert (kept[0].changes[0].new, kept[0].changes[0].secret) == (None, True)
    await journal.close()
    sqlite3.connect(tmp_path / "journal.db").execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b64encode(secret)[:100] not in (tmp_path / "journal.db").read_bytes()


async def test_everything_replaces_what_was_published(journal: Journal) -> None:
    await publish(journal, 1)
    await journal.publish(None, journal.head, [("z", b"h", False)], now=0.0, everything=True)
    assert set(await journal.published()) == {"z"}


async def test_events_are_found_by_id_and_time(journal: Journal) -> None:
    for number in (1, 2, 3):
        await publish(journal, number, now=float(number))
    assert [await journal.find(f"e-{number}") for number in (1, 3, 9)] == [1, 3, None]
    assert [await journal.last_before(time) for time in (0.5, 2.0, 9.0)] == [None, 1, 3]
    assert [each.seq for each in await journal.events(1, 3) or []] == [2, 3]
    assert await journal.events(3, 3) == []


async def test_what_a_subscriber_was_told_survives(journal: Journal, tmp_path: Path) -> None:
    standing = Standing("s", "d", 3, Retry(1, 2, 3.0, 4.0), disabled=True)
    ended = Delivery("s", "e-3", 2, 3, "gone", 2, 9.0, 0.1, "410")
    journal.acknowledge(standing, ended)
    again = await reopened(journal, tmp_path)
    try:
        assert again.standings["s"] == Standing("s", "d", 3, Retry(1, 2, 3.0, 4.0), disabled=True)
        (found,) = await again.deliveries("s", 10)
        assert (found.id, found.after, found.upto, found.outcome, found.said) == ("e-3", 2, 3, "gone", "410")
        await again.forget(["s"])
        assert again.standings == {}
    finally:
        await again.close()


async def test_those_who_are_told_the_same_share_a_row_and_each_has_its_own_end(
    journal: Journal, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        journal.acknowledge(Standing(name, "d", 1), Delivery(name, "e-1", 0, 1, "delivered", 1, 1.0, 0.1, name))
    journal.acknowledge(Standing("a", "d", 2), Delivery("a", "e-2", 1, 2, "delivered", 1, 2.0, 0.1, "x"))
    assert [(each.id, each.said) for each in await journal.deliveries("a", 10)] == [("e-2", "x"), ("e-1", "a")]
    assert [(each.id, each.said) for each in await journal.deliveries("b", 10)] == [("e-1", "b")]
    assert await journal.deliveries('"', 10) == []
    again = await reopened(journal, tmp_path)
    try:
        assert {name: each.told for name, each in again.standings.items()} == {"a": 2, "b": 1}
    finally:
        await again.close()


async def test_old_events_go_and_who_is_idle_is_not_left_behind(journal: Journal, tmp_path: Path) -> None:
    journal.standings["idle"] = Standing("idle", "d", 1)
    for number in range(1, 65):
        await publish(journal, number, now=number * tables.KEPT_SECONDS / 32)
        journal.standings["idle"].told = number
    kept = [number for number in range(1, 65) if await journal.find(f"e-{number}")]
    assert kept == list(range(32, 65)), "a week of them"
    assert await journal.events(0, 64) is None
    again = await reopened(journal, tmp_path)
    try:
        assert again.standings["idle"].told == 63
        assert again.head.seq == 64
    finally:
        await again.close()


async def test_the_journal_is_bounded_in_bytes_and_the_last_event_stays(journal: Journal) -> None:
    large = b"x" * (tables.MOST_BYTES // 60)
    for number in range(1, 65):
        await publish(journal, number, value=large)
    kept = [number for number in range(1, 65) if await journal.find(f"e-{number}")]
    assert 30 < len(kept) < 50, "in base64 each takes a third more"
    assert kept[-1] == 64


async def test_a_full_disk_is_told_nothing_is_lost_and_it_recovers(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(tmp_path)
    await publish(journal, 1)
    await journal.close()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA max_page_count = 1")  # SQLite's own "database or disk is full"
    journal = Journal(path, connection, tables.read_head(connection), {})
    try:
        with pytest.raises(StateError, match="database or disk is full") as caught:
            await publish(journal, 2, value=b"x" * 100_000)
        assert "free some space" in caught.value.hint
        assert journal.head.seq == 1
        journal.acknowledge(Standing("s", "d" * 100_000, 1), None)
        await journal._writer.run(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchall())
        assert (await publish(journal, 2)).seq == 2

        async def is_noted() -> bool:
            return "s" in await journal._writer.run(tables.read_standings)

        await until(is_noted, "what was acknowledged while the disk was full is lost")
    finally:
        await journal.close()


async def test_a_file_that_was_deleted_under_it_is_not_written_on(journal: Journal, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(StateError, match="No such file"):
        await publish(journal, 1)


async def test_a_file_that_was_exchanged_is_not_written_on(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.db").touch()
    with pytest.raises(StateError, match="another one than at the start"):
        await publish(journal, 1)


async def test_a_damaged_journal_is_refused_at_the_start(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.acknowledge(Standing("s", "d", None, Retry(1, 1, 1.0, 1.0)), None)
    await journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE subscriber SET retry = 'x'")
    with pytest.raises(StateError, match="the journal cannot be used"):
        Journal.open(tmp_path)
    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="not a database"):
        Journal.open(tmp_path)
