"""Orders for whoever leads, on the embedded store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.cli.orders import NotTaken, Paused, leave_approval, orders, wait_until_applied
from syncd.core import control, record
from syncd.core.control import Control, Pause
from syncd.embedded.server import start
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.planning import applied
from tests.support.planning import record as record_of


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store of the test's own."""
    server = await start(tmp_path / "store.db", port=0)
    async with Store(resolve_endpoint({}, address=server.address), "config") as store:
        yield store
    await server.close()


async def test_without_orders_nothing_is_ordered(store: Store) -> None:
    assert await orders(store) == Control()


async def test_an_approval_leaves_other_orders_as_they_are(store: Store) -> None:
    pause = Pause("Ana", 1, "a demo")
    await store.put_own("control", control.encode(Control(pause=pause)), index=0)
    await leave_approval(store, "0123456789abcdef")
    found = await orders(store)
    assert found.pause == pause
    assert found.approval is not None
    assert found.approval.hash == "0123456789abcdef"
    assert "@" in found.approval.author


async def test_approvals_at_the_same_time_all_find_their_way(store: Store) -> None:
    hashes = [f"{number:016}" for number in range(3)]
    await asyncio.gather(*(leave_approval(store, each) for each in hashes))
    approval = (await orders(store)).approval
    assert approval is not None
    assert approval.hash in hashes


async def test_a_commit_that_is_applied_ends_the_wait(store: Store) -> None:
    await store.put_own("revision", record.encode(record_of(applied=applied("a" * 40))), index=0)
    entry = await store.own("revision")
    assert entry is not None
    waiting = asyncio.create_task(wait_until_applied(store, "b" * 40, entry.index, "host"))
    await store.put_own("revision", record.encode(record_of(applied=applied("b" * 40))), index=entry.index)
    found = await waiting
    assert found.applied is not None
    assert found.applied.commit == "b" * 40


async def test_what_nobody_takes_is_told_in_the_end(store: Store) -> None:
    with pytest.raises(NotTaken, match=r"host has not applied commit bbbbbbb within 0\.05 s"):
        await wait_until_applied(store, "b" * 40, 0, "host", seconds=0.05)


def test_a_pause_names_who_ordered_it_and_why() -> None:
    paused = Paused(Pause("Ana", 1, "a demo"), " --address consul:8500")
    assert "paused by Ana since 1970-01-0" in paused.message
    assert paused.message.endswith(": a demo")
    assert (paused.hint, paused.exit_code) == ("to go on: syncd resume --address consul:8500", 3)
