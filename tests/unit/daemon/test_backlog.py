"""What clients of the event stream are told: whenever they come, nothing is missing and nothing comes twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.core.event import Event, EventKind, KeyChange, shown
from syncd.core.live import Entry
from syncd.core.subscriber import Filter
from syncd.daemon import messages as messages_of
from syncd.daemon.backlog import Backlog
from syncd.daemon.messages import Messages
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.stream import NOT_YET, Channel, Stream, Streams
from syncd.fanout.tables import Head

ALL = Channel(Filter(), values=True, chunked=False)


class Client:
    """A transport that keeps all."""

    def __init__(self) -> None:
        self.got = b""

    def write(self, data: bytes, /) -> None:
        self.got += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        raise AssertionError

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line[6:]) for line in self.got.decode().splitlines() if line.startswith("data: ")]

    @property
    def numbers(self) -> list[int]:
        """Every value that it was told of the key that counts up."""
        return [int(change["new"]) for event in self.events for change in event["data"]["changes"]]  # type: ignore[index]


class Fanout:
    """A journal whose events set one key to their number."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.view = View()
        self.view.epoch, self.view.ready = "e", True
        self.messages = Messages(journal, self.view, "p")
        self.backlog = Backlog(journal, self.messages)
        self.streams = Streams(self.backlog.event)

    async def publish(self, kind: EventKind = "revision") -> None:
        number = self.journal.head.index + 1
        value = b"%d" % number
        changes = () if kind == "reset" else (KeyChange("n", "update", None, value, "", shown(value)),)
        event = Event(f"e-{number}-j-{number}", kind, "e", number, 1.0, changes, 1)
        head = Head(self.journal.head.seq, self.journal.head.id, "e", number, "c")
        told = await self.journal.publish(event, head, [], now=1.0)
        assert told is not None
        self.view.entries["n"] = Entry(value, 0, number)
        self.messages.add(told)
        self.streams.publish(told.seq)

    async def follow(self, seen: str | None, channel: Channel = ALL) -> Client:
        client = Client()
        stream = Stream(client, channel)
        self.streams.join(stream, NOT_YET)
        after = await self.backlog.find(seen) if seen else self.backlog.last[0]
        await self.backlog.join(self.streams, stream, after)
        return client


@pytest.fixture
async def fanout(tmp_path: Path) -> AsyncIterator[Fanout]:
    journal = Journal.open(tmp_path)
    yield Fanout(journal)
    await journal.close()


# promise 16
async def test_clients_that_join_while_events_are_told_get_every_later_one_once(
    fanout: Fanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_of, "_RECENT", 3)  # most of what is missed must be read from the journal
    for _ in range(10):
        await fanout.publish()
    joining: list[asyncio.Task[Client]] = []
    for number in range(60):
        joining.append(asyncio.create_task(fanout.follow(f"e-{1 + number % 10}-j-{1 + number % 10}")))
        await fanout.publish()
        if number % 3 == 0:
            await asyncio.sleep(0.001)
    clients = await asyncio.gather(*joining)
    await fanout.publish()
    for client in clients:
        assert client.numbers == sorted(set(client.numbers)), "in order, nothing twice"
        live = client.numbers[1:]
        assert live == list(range(71 - len(live) + 1, 72)), "after what was missed, one by one to the last"
        assert client.numbers[-1] == 71


# promise 17
async def test_an_unknown_or_forgotten_event_means_the_full_state(fanout: Fanout) -> None:
    for _ in range(3):
        await fanout.publish()
    client = await fanout.follow("e-99-j-99")
    await fanout.publish()
    assert [event["type"] for event in client.events] == ["syncd.state.reset.v1", "syncd.revision.applied.v1"]
    assert client.numbers == [3, 4]
    again = await fanout.follow(str(client.events[0]["id"]))
    assert [event["type"] for event in again.events] == ["syncd.revision.applied.v1"], "the full state has an id too"
    assert again.numbers == [4]


async def test_a_store_that_went_back_is_told_with_everything_to_those_who_follow(fanout: Fanout) -> None:
    await fanout.publish()
    client = await fanout.follow(None)
    nothing = await fanout.follow(None, Channel(Filter(("other/",)), values=True, chunked=False))
    await fanout.publish("reset")
    await fanout.publish()
    assert [event["type"] for event in client.events] == ["syncd.state.reset.v1", "syncd.revision.applied.v1"]
    assert [event["type"] for event in nothing.events] == ["syncd.state.reset.v1"]


async def test_who_cares_for_other_keys_is_told_nothing(fanout: Fanout) -> None:
    for _ in range(2):
        await fanout.publish()
    client = await fanout.follow("e-1-j-1", Channel(Filter(("other/",)), values=True, chunked=False))
    await fanout.publish()
    assert client.got == b""


async def test_before_the_first_event_the_state_itself_has_a_name(fanout: Fanout) -> None:
    name = fanout.journal.head.journal
    assert fanout.backlog.last == (0, f"-0-{name}-0")
    await fanout.publish()
    assert fanout.backlog.last == (1, "e-1-j-1")


async def test_few_of_the_many_things_that_callers_want_are_remembered(fanout: Fanout) -> None:
    await fanout.publish()
    for number in range(600):
        await fanout.follow(None, Channel(Filter((f"{number}/",)), values=True, chunked=False))
    await fanout.publish()
    assert len(fanout.streams) == 600
