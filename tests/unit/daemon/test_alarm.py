"""A failure is told once, to those who asked for it, and is as safe on its way as anything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from syncd.core.event import Event, KeyChange, shown
from syncd.core.live import Entry
from syncd.core.snapshots.failing import Failure
from syncd.core.subscriber import Command, Filter, Subscriber, Webhook
from syncd.daemon.alarm import Alarm
from syncd.daemon.backlog import Backlog
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.messages import Messages
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Result
from tests.support.subscribers import Receiver, Receivers
from tests.support.waiting import until

ABOUT = Filter(about="snapshots")
PAGER = Subscriber("pager", Webhook("http://pager/x"), ABOUT)
BRAIN = Subscriber("brain", Webhook("http://brain/x"))
FAILED = Failure("snapshot", "failed", "2026-05-05", 1, "node a", "no space left")
LATE = replace(FAILED, cause="late")


class Node:
    """One node's journal, dispatcher and alarm, at a time that the test sets."""

    def __init__(self, folder: Path, *, ready: bool = True, leading: bool = False) -> None:
        self.now = 1000.0
        self.journal = Journal.open(folder)
        self.receivers = Receivers()
        self.view = View()
        self.messages = Messages(self.journal, self.view, "p")
        self.dispatcher = Dispatcher(
            self.journal,
            self.messages,
            self.receivers.make,
            now=lambda: self.now,
            draw=lambda: 0.5,
            draw_id=lambda: "id",
        )
        self.alarm = Alarm(self.journal, self.dispatcher.publish, now=lambda: self.now)
        if ready:
            self.dispatcher.begin(leading=leading)

    async def change(self, key: str) -> None:
        """Publish a change of a key, as the publisher does."""
        async with self.journal.publishing:
            head = self.journal.head
            change = KeyChange(key, "create", None, b"1", "", shown(b"1"))
            event = Event(head.next_id("e", 1), "revision", "e", 1, self.now, (change,), 1)
            told = await self.journal.publish(event, replace(head, epoch="e", index=1), [], now=self.now)
            assert told is not None
            self.view.entries[key] = Entry(b"1", 0, 1)
            self.dispatcher.publish(told)

    def receiver(self, name: str) -> Receiver:
        return self.receivers[name]

    def told(self, name: str = "pager") -> list[list[tuple[str, str]]]:
        """What and why, of each try that told of failures."""
        bodies = [body["data"] for body in self.receiver(name).bodies if "failures" in body["data"]]
        return [[(each["date"], each["cause"]) for each in data["failures"]] for data in bodies]


@asynccontextmanager
async def opened(folder: Path, *, ready: bool = True, leading: bool = False) -> AsyncIterator[Node]:
    node = Node(folder, ready=ready, leading=leading)
    running = asyncio.create_task(node.dispatcher.run())
    try:
        yield node
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await node.dispatcher.close()
        await node.journal.close()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with opened(tmp_path) as made:
        yield made


async def test_who_asked_is_told_once_for_each_date_and_cause_and_nobody_else(node: Node) -> None:
    await node.dispatcher.subscribe([PAGER, BRAIN, Subscriber("log", Command(("log",)), ABOUT)])
    again, next_night = replace(FAILED, why="still no space"), replace(FAILED, date="2026-05-06")
    for failure in (FAILED, FAILED, again, LATE, LATE, next_night):
        await node.alarm.sound(failure)
    once = [[("2026-05-05", "failed")], [("2026-05-05", "late")], [("2026-05-06", "failed")]]
    assert node.told() == node.told("log") == once
    assert node.receiver("brain").tries == []
    assert len({each.id for each in node.receiver("pager").tries}) == 3


async def test_it_is_told_though_nobody_leads_and_no_revision_was_seen_yet(tmp_path: Path) -> None:
    async with opened(tmp_path, ready=False) as node:
        await node.dispatcher.subscribe([PAGER, BRAIN])
        assert node.receiver("pager").tries == [], "nothing failed: that is no state to begin with"
        await node.alarm.sound(FAILED)
        assert node.told() == [[("2026-05-05", "failed")]]
        await node.change("a")
        assert node.receiver("brain").tries == []


async def test_keys_are_told_to_others_as_if_there_were_no_failures(tmp_path: Path) -> None:
    async with opened(tmp_path, leading=True) as node:
        await node.dispatcher.subscribe([BRAIN, PAGER])
        node.receiver("brain").answer = None
        await node.change("a")
        await node.alarm.sound(FAILED)
        await node.change("b")
        node.receiver("brain").reply()
        assert node.receiver("brain").told[1:] == [{"a": "1"}, {"b": "1"}]
        last = node.receiver("brain").tries[-1].id
        assert last == node.journal.head.id, "one event is told under its own id, whatever stands beside it"
        assert len(node.receiver("pager").tries) == 1


async def test_a_failed_delivery_keeps_its_id_and_several_failures_come_together(tmp_path: Path) -> None:
    async with opened(tmp_path, leading=True) as node:
        await node.dispatcher.subscribe([PAGER])
        node.receiver("pager").answer = Result("failed", "500")
        await node.alarm.sound(FAILED)
        await node.change("a")
        node.now += 6
        node.dispatcher._try_due(node.now)
        first, second = node.receiver("pager").tries
        assert first == second, "the key's event beside it is none of its business"
        node.receiver("pager").answer = Result("delivered", "204")
        await node.alarm.sound(LATE)
        node.now += 6
        node.dispatcher._try_due(node.now)
        assert node.told()[-1] == [("2026-05-05", "failed"), ("2026-05-05", "late")]
        assert node.receiver("pager").tries[-1].id not in (first.id, node.journal.head.id)


async def test_a_restart_tells_what_was_not_taken_and_nothing_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        node.receivers.answers["pager"] = Result("failed", "500")
        await node.dispatcher.subscribe([PAGER])
        await node.alarm.sound(FAILED)
        (lost,) = node.receiver("pager").tries
    async with opened(tmp_path) as node:
        await node.dispatcher.subscribe([PAGER])
        node.now += 6
        node.dispatcher._try_due(node.now)

        async def is_told() -> bool:
            return [each.id for each in node.receiver("pager").tries] == [lost.id]

        await until(is_told, "the lost one is not told")
        await node.alarm.sound(FAILED)
    async with opened(tmp_path) as node:
        await node.dispatcher.subscribe([PAGER])
        await node.alarm.sound(FAILED)
        assert node.receiver("pager").tries == []


async def test_what_the_journal_does_not_take_is_told_once_it_does(node: Node, tmp_path: Path) -> None:
    await node.dispatcher.subscribe([PAGER])
    journal, away = tmp_path / "journal.db", tmp_path / "away"
    journal.rename(away)
    with capture_logs() as logs:
        await node.alarm.sound(FAILED)
        await node.alarm.sound(FAILED)
    assert [log["event"] for log in logs] == ["subscribers cannot be told of a failure yet"]
    assert node.receiver("pager").tries == []
    away.rename(journal)
    await node.alarm.sound(FAILED)
    assert node.told() == [[("2026-05-05", "failed")]]


async def test_a_stream_gets_what_it_asked_for_and_what_it_missed(node: Node) -> None:
    backlog = Backlog(node.journal, node.messages)
    await node.change("a")
    await node.alarm.sound(FAILED)
    seq = node.journal.head.seq
    told = backlog.event(ABOUT, True, seq)
    assert told is not None
    assert b"event: syncd.snapshot.failed.v1\n" in told
    assert backlog.event(Filter(), True, seq) is None
    assert (await backlog.since(ABOUT, 0, values=True)).told == told
    assert (await backlog.since(ABOUT, None, values=True)).told is None, "there is no full state of failures"
    assert (await backlog.since(Filter(), 1, values=True)).told is None
