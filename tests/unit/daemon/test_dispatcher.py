"""Who is told what, when it is tried again, and that nobody waits for anybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core.delivery import NEWS_SECONDS, SCHEDULE
from syncd.core.errors import NotFound
from syncd.core.event import Event, EventKind, KeyChange, ToldRevision, shown
from syncd.core.live import Entry
from syncd.core.subscriber import Command, File, Filter, Subscriber, Webhook
from syncd.daemon.dispatcher import Dispatcher
from syncd.daemon.line import Standings, defined
from syncd.daemon.messages import Messages
from syncd.daemon.view import View
from syncd.fanout.journal import Journal
from syncd.fanout.sender import Message, Result
from syncd.fanout.tables import Head, Standing
from tests.support.subscribers import Receiver, Receivers
from tests.support.waiting import until

FAILED = Result("failed", "500")
BRAIN = Subscriber("brain", Webhook("http://brain/x?token=1"), Filter(("brain/",)))
ALL = Subscriber("all", Command(("log",)))
IMPOSSIBLE = Subscriber("impossible", Command(("x",)), origin="syncd.toml:3:1")


class Fanout:
    """A journal, a view and a dispatcher, at a time that the test sets."""

    def __init__(self, journal: Journal) -> None:
        self.now = 1000.0
        self.journal = journal
        self.receivers = Receivers()
        self.view = View()
        self.view.epoch, self.view.ready = "e", True
        self.messages = Messages(journal, self.view, "p")
        self.dispatcher = Dispatcher(
            journal, self.messages, self.receivers.make, now=lambda: self.now, draw=lambda: 0.5, draw_id=lambda: "id"
        )

    async def start(self, *subscribers: Subscriber, leading: bool = True) -> None:
        await self.dispatcher.subscribe(subscribers)
        self.dispatcher.begin(leading=leading)

    async def publish(self, _kind: EventKind = "revision", **values: str) -> Event:
        """Publish new values of keys; underscores stand for slashes."""
        index = self.journal.head.index + 1
        entries = {key.replace("_", "/"): value.encode() for key, value in values.items()}
        changes = tuple(KeyChange(key, "create", None, value, "", shown(value)) for key, value in entries.items())
        event = Event(f"e-{index}-j-{index}", _kind, "e", index, self.now, changes, len(changes))
        head = Head(self.journal.head.seq, self.journal.head.id, "e", index, "c")
        told = await self.journal.publish(event, head, [], now=self.now)
        assert told is not None
        self.view.entries |= {key: Entry(value, 0, index) for key, value in entries.items()}
        self.dispatcher.publish(told)
        return told

    def standing(self, name: str) -> Standings:
        return next(each for each in self.dispatcher.standings() if each.name == name)

    def receiver(self, name: str) -> Receiver:
        return self.receivers[name]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Fanout]:
    journal = Journal.open(folder)
    fanout = Fanout(journal)
    running = asyncio.create_task(fanout.dispatcher.run())
    try:
        yield fanout
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await fanout.dispatcher.close()
        await journal.close()


@pytest.fixture
async def fanout(tmp_path: Path) -> AsyncIterator[Fanout]:
    async with opened(tmp_path) as made:
        yield made


# -- what is told


async def test_a_new_subscriber_first_gets_the_full_state_then_each_change(fanout: Fanout) -> None:
    await fanout.publish(brain_model="a", tts_voice="v")
    await fanout.start(BRAIN)
    (full,) = fanout.receiver("brain").bodies
    assert full["type"] == "syncd.state.reset.v1"
    assert full["id"].startswith("e-1-j-1-full-")
    assert fanout.receiver("brain").told == [{"brain/model": "a"}]
    await fanout.publish(brain_model="b")
    assert fanout.receiver("brain").told[1:] == [{"brain/model": "b"}]
    assert fanout.receiver("brain").tries[1].id == "e-2-j-2"


async def test_only_those_who_care_are_told_and_the_others_are_not_behind(fanout: Fanout) -> None:
    await fanout.start(BRAIN, ALL)
    await fanout.publish(tts_voice="v")
    assert len(fanout.receiver("brain").tries) == 1
    assert fanout.receiver("all").told[-1] == {"tts/voice": "v"}
    assert (fanout.standing("brain").state, fanout.standing("brain").behind) == ("idle", 0)


async def test_hashes_alone_for_those_who_get_no_values(fanout: Fanout) -> None:
    await fanout.start(Subscriber("hashes", Command(("x",)), values=False))
    await fanout.publish(a="1")
    (change,) = fanout.receiver("hashes").bodies[-1]["data"]["changes"]
    assert change == {"key": "a", "operation": "create", "new_hash": shown(b"1")}


async def test_equal_subscribers_share_one_body(fanout: Fanout) -> None:
    await fanout.start(ALL, Subscriber("other", Command(("y",))))
    await fanout.publish(a="1")
    assert fanout.receiver("all").tries[-1].body is fanout.receiver("other").tries[-1].body


async def test_nothing_is_told_before_the_view_is_whole(fanout: Fanout) -> None:
    await fanout.dispatcher.subscribe([ALL])
    assert fanout.receiver("all").tries == []
    fanout.dispatcher.begin(leading=True)
    assert len(fanout.receiver("all").tries) == 1


# promise 15
async def test_after_the_store_went_back_in_time_everything_is_told_anew(fanout: Fanout) -> None:
    await fanout.start(ALL)
    await fanout.publish(a="1")
    await fanout.publish("reset")
    assert fanout.receiver("all").bodies[-1]["type"] == "syncd.state.reset.v1"
    assert fanout.receiver("all").told[-1] == {"a": "1"}


# promise 16
async def test_a_webhook_is_told_by_the_leader_alone_and_a_successor_tells_what_it_does_not_know_to_be_told(
    fanout: Fanout,
) -> None:
    await fanout.start(BRAIN, ALL, leading=False)
    await fanout.publish(brain_model="a")
    assert fanout.receiver("brain").tries == []
    assert fanout.standing("brain").held
    assert len(fanout.receiver("all").tries) == 2
    fanout.dispatcher.begin(leading=True)
    assert fanout.receiver("brain").told == [{"brain/model": "a"}]


# -- one at a time, at the final values


async def test_what_changes_during_a_try_is_told_next_at_its_final_value(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    await fanout.publish(a="1")
    await fanout.publish(a="2", b="x")
    await fanout.publish(a="3")
    receiver = fanout.receiver("all")
    assert len(receiver.tries) == 1
    receiver.reply()
    assert receiver.told[-1] == {"a": "3", "b": "x"}
    assert receiver.tries[-1].id.startswith("e-3-j-3-"), "a set has another id than its last event"
    receiver.reply()
    assert len(receiver.tries) == 2


# promise 15
async def test_a_try_that_ends_while_the_journal_is_tidied_loses_no_event(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.publish(a="1")
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    fanout.now += 2 * 3600
    publishing = asyncio.create_task(fanout.publish(a="2"))
    while fanout.journal.head.seq < 2:  # noqa: ASYNC110  # the very next step of the loop is what matters
        await asyncio.sleep(0)
    receiver.reply()
    await publishing
    receiver.reply()
    assert [told.get("a") for told in receiver.told] == ["1", "2"]


# promise 16
async def test_who_hangs_delays_nobody(fanout: Fanout) -> None:
    fanout.receivers.answers["brain"] = None
    await fanout.start(BRAIN, ALL)
    for number in range(5):
        await fanout.publish(brain_model=str(number))
    assert len(fanout.receiver("brain").tries) == 1
    assert fanout.receiver("all").told[-1] == {"brain/model": "4"}


# -- failures


async def test_a_failed_try_is_made_again_with_the_same_id_and_body(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.answer = FAILED
    await fanout.publish(a="1")
    standing = fanout.standing("all")
    assert (standing.state, standing.tries, standing.said, standing.behind) == ("waiting", 1, "500", 1)
    assert standing.next == fanout.now + SCHEDULE[0]
    fanout.now += SCHEDULE[0]
    fanout.dispatcher._tries.wake.set()
    await until(lambda: is_count(receiver, 3), "it is not tried again")
    assert receiver.tries[1] == receiver.tries[2]
    receiver.answer = Result("delivered", "200")
    fanout.now += SCHEDULE[1] * 1.2
    fanout.dispatcher._tries.wake.set()
    await until(lambda: is_count(receiver, 4), "it is not tried again")
    assert (fanout.standing("all").state, fanout.standing("all").tries) == ("idle", 0)
    (ended, *_) = await fanout.dispatcher.deliveries("all", 5)
    assert (ended.id, ended.outcome, ended.tries) == ("e-1-j-1", "delivered", 3)


# promise 17
async def test_what_concerns_others_changes_neither_id_nor_body_of_what_is_tried_again(fanout: Fanout) -> None:
    await fanout.start(BRAIN)
    receiver = fanout.receiver("brain")
    receiver.answer = FAILED
    await fanout.publish(brain_model="a")
    await fanout.publish(tts_voice="v")
    fanout.now = fanout.standing("brain").next
    fanout.dispatcher._tries.wake.set()
    await until(lambda: is_count(receiver, 3), "it is not tried again")
    assert receiver.tries[1] == receiver.tries[2]
    assert receiver.tries[2].id == "e-1-j-1"


async def is_count(receiver: Receiver, count: int) -> bool:
    return len(receiver.tries) >= count


async def test_news_brings_the_next_try_forward(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.answer = FAILED
    await fanout.publish(a="1")
    fanout.now += SCHEDULE[0]
    fanout.dispatcher._tries.wake.set()
    await until(lambda: is_count(receiver, 3), "it is not tried again")
    assert fanout.standing("all").next > fanout.now + 200
    await fanout.publish(a="2")
    assert fanout.standing("all").next == fanout.now + 5
    receiver.answer = Result("delivered", "200")
    fanout.now += 5
    fanout.dispatcher._tries.wake.set()
    await until(lambda: is_count(receiver, 4), "news is not tried")
    assert receiver.told[-1] == {"a": "2"}


async def test_a_receiver_that_asked_for_rest_gets_it(fanout: Fanout) -> None:
    await fanout.start(ALL)
    fanout.receiver("all").answer = Result("failed", "503", retry_after=120.0)
    await fanout.publish(a="1")
    assert fanout.standing("all").next == fanout.now + 120


# promise 17
async def test_an_exhausted_set_is_kept_and_can_be_told_again(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.answer = FAILED
    with capture_logs() as logs:
        await fanout.publish(a="1")
        await fanout.publish(b="2")
        for step in range(len(SCHEDULE)):
            fanout.now = fanout.standing("all").next
            fanout.dispatcher._tries.wake.set()
            await until(lambda count=step + 3: is_count(receiver, count), "it is not tried again")  # type: ignore[misc]
    standing = fanout.standing("all")
    assert (standing.state, standing.exhausted) == ("idle", 1)
    (error,) = [each for each in logs if each["log_level"] == "error"]
    assert error["hint"] == f"mend it, then: syncd subscribers replay all --event {error['id']}"
    assert error["id"].startswith("e-2-j-2-")
    (ended, *_) = await fanout.dispatcher.deliveries("all", 5)
    assert (ended.id, ended.outcome, ended.said) == (error["id"], "exhausted", "500")
    receiver.answer = Result("delivered", "200")
    await fanout.dispatcher.replay("all", event=error["id"])
    assert receiver.told[-1] == {"a": "1", "b": "2"}, "the whole set, not its last event"
    assert receiver.tries[-1].id == f"{error['id']}-id", "a receiver that leaves out what it has seen takes it"


async def test_whoever_is_gone_is_not_told_until_a_person_says_so(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.answer = Result("gone", "410")
    await fanout.publish(a="1")
    await fanout.publish(a="2")
    assert (fanout.standing("all").state, len(receiver.tries)) == ("disabled", 2)
    receiver.answer = Result("delivered", "200")
    await fanout.dispatcher.replay("all")
    assert (fanout.standing("all").state, receiver.told[-1]) == ("idle", {"a": "2"})


async def test_a_trouble_is_told_once_and_its_end_with_the_number_of_tries(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    with capture_logs() as logs:
        for step, answer in enumerate((FAILED, FAILED, Result("failed", "503"), Result("delivered", "200"))):
            receiver.answer = answer
            if step == 0:
                await fanout.publish(a="1")
            else:
                fanout.now = fanout.standing("all").next
                fanout.dispatcher._tries.wake.set()
                await until(lambda count=step + 2: is_count(receiver, count), "it is not tried again")  # type: ignore[misc]
        await fanout.publish(a="2")
    assert [(each["log_level"], each["event"], each.get("said"), each["tries"]) for each in logs] == [
        ("warning", "a delivery failed", "500", 1),
        ("debug", "a delivery failed", "500", 2),
        ("warning", "a delivery failed", "503", 3),
        ("info", "delivered again", None, 4),
    ]


async def test_what_a_disabled_subscriber_misses_is_counted_and_the_way_out_is_named(fanout: Fanout) -> None:
    await fanout.start(BRAIN)
    receiver = fanout.receiver("brain")
    receiver.answer = Result("gone", "410 Gone")
    with capture_logs() as logs:
        await fanout.publish(brain_model="a")
        await fanout.publish(tts_voice="v")
        assert (fanout.standing("brain").behind, fanout.standing("brain").since) == (0, 0.0), "no news of its own"
        for number in range(3):
            fanout.now += 1
            await fanout.publish(brain_model=str(number))
        receiver.answer = Result("delivered", "200")
        assert (fanout.standing("brain").behind, fanout.standing("brain").since) == (3, fanout.now - 2)
        await fanout.dispatcher.replay("brain")
    assert [each["event"] for each in logs] == ["a subscriber wants nothing more", "delivered again"]
    assert logs[0]["hint"].endswith("syncd subscribers replay brain")


async def test_what_comes_during_the_try_that_disables_counts_too(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    await fanout.publish(a="1")
    fanout.receiver("all").reply(Result("gone", "410"))
    standing = fanout.standing("all")
    assert (standing.state, standing.behind, standing.since) == ("disabled", 1, fanout.now)


async def test_who_is_owed_the_full_state_is_behind_by_that_alone(fanout: Fanout) -> None:
    fanout.receivers.answers |= {"all": FAILED, "brain": FAILED}
    await fanout.start(ALL)
    assert (fanout.standing("all").behind, fanout.standing("all").full) == (1, True), "before the first event"
    for number in range(3):
        await fanout.publish(brain_model=str(number))
    await fanout.dispatcher.subscribe([ALL, BRAIN])
    assert (fanout.standing("brain").behind, fanout.standing("brain").full) == (1, True)


async def test_a_test_that_gets_through_has_what_waits_tried_at_once(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.answer = FAILED
    await fanout.publish(a="1")
    await fanout.dispatcher.test("all")
    assert fanout.standing("all").state == "waiting", "it still fails"
    receiver.answer = Result("delivered", "200")
    await fanout.dispatcher.test("all")
    assert (fanout.standing("all").state, receiver.told[-1]) == ("idle", {"a": "1"})


# -- over restarts


# promise 15
async def test_after_a_restart_everybody_goes_on_where_they_were(tmp_path: Path) -> None:
    async with opened(tmp_path) as fanout:
        await fanout.start(ALL, BRAIN)
        await fanout.publish(brain_model="a")
        fanout.receiver("all").answer = None
        await fanout.publish(brain_model="b")
    async with opened(tmp_path) as fanout:
        await fanout.start(ALL, BRAIN)
        await until(lambda: is_count(fanout.receiver("all"), 1), "what was not acknowledged is lost")
        assert [each.id for each in fanout.receiver("all").tries] == ["e-2-j-2"]
        assert fanout.receiver("brain").tries == []


async def test_a_planned_try_and_a_disabled_subscriber_outlive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as fanout:
        fanout.receivers.answers["all"] = FAILED
        fanout.receivers.answers["brain"] = Result("gone", "410")
        await fanout.start(ALL, BRAIN)
    async with opened(tmp_path) as fanout:
        await fanout.start(ALL, BRAIN)
        assert fanout.standing("all").next == fanout.now + SCHEDULE[0]
        assert fanout.standing("brain").state == "disabled"
        fanout.now += SCHEDULE[0]
        fanout.dispatcher._tries.wake.set()
        await until(lambda: is_count(fanout.receiver("all"), 1), "it is not tried again")


async def test_after_a_restart_news_does_not_wait_for_the_schedule(tmp_path: Path) -> None:
    async with opened(tmp_path) as fanout:
        fanout.receivers.answers["all"] = FAILED
        await fanout.start(ALL)
        fanout.now += SCHEDULE[0]
        fanout.dispatcher._tries.wake.set()
        await until(lambda: is_count(fanout.receiver("all"), 2), "it is not tried again")
        await fanout.publish(a="1")
    async with opened(tmp_path) as fanout:
        fanout.now += SCHEDULE[0]
        await fanout.start(ALL)
        assert fanout.standing("all").next == fanout.now + NEWS_SECONDS


async def test_who_was_behind_for_longer_than_the_journal_reaches_gets_the_full_state(tmp_path: Path) -> None:
    async with opened(tmp_path) as fanout:
        await fanout.start(ALL)
        fanout.receiver("all").answer = None
        for number in range(3):
            await fanout.publish(a=str(number))
        await fanout.journal._writer.run(lambda c: c.execute("DELETE FROM event WHERE seq < 3").fetchall())
    async with opened(tmp_path) as fanout:
        fanout.view.entries["a"] = Entry(b"2", 0, 3)
        await fanout.start(ALL)
        await until(lambda: is_count(fanout.receiver("all"), 1), "nothing is told")
        assert fanout.receiver("all").bodies[0]["type"] == "syncd.state.reset.v1"
        assert fanout.receiver("all").told == [{"a": "2"}]


async def test_instead_of_an_event_that_is_damaged_the_full_state_is_told(tmp_path: Path) -> None:
    async with owing(tmp_path) as fanout:
        await fanout.dispatcher.subscribe([ALL])
        await fanout.journal._writer.run(lambda c: c.execute("UPDATE event SET body = 'x'").fetchall())
        fanout.dispatcher.begin(leading=True)
        await until(lambda: is_count(fanout.receiver("all"), 1), "it is not told")
        assert fanout.receiver("all").bodies[0]["type"] == "syncd.state.reset.v1"


async def test_a_journal_that_cannot_be_read_costs_no_try(tmp_path: Path) -> None:
    async with owing(tmp_path) as fanout:
        aside, journal = tmp_path / "aside", tmp_path / "journal.db"
        journal.rename(aside)
        with capture_logs() as logs:
            await fanout.start(ALL)
            await until(lambda: is_said(logs), "nothing is said of the journal")
        assert (fanout.standing("all").state, fanout.standing("all").tries) == ("owed", 0)
        aside.rename(journal)
        fanout.dispatcher._tries.wake.set()
        await until(lambda: is_count(fanout.receiver("all"), 1), "it is not told once the journal is back")
        assert fanout.receiver("all").told == [{"a": "1"}]


@asynccontextmanager
async def owing(folder: Path) -> AsyncIterator[Fanout]:
    """Run anew after a try that was under way, of what stands in the journal alone."""
    async with opened(folder) as before:
        await before.start(ALL)
        before.receiver("all").answer = None
        await before.publish(a="1")
    async with opened(folder) as fanout:
        yield fanout


async def is_said(logs: list[EventDict]) -> bool:
    return any("journal cannot be used" in each["event"] for each in logs)


# -- who they are


async def test_a_subscriber_that_became_another_starts_anew_and_one_that_is_gone_is_forgotten(fanout: Fanout) -> None:
    await fanout.start(ALL, BRAIN)
    first = fanout.receiver("all")
    await fanout.publish(a="1")
    moved = Subscriber("all", Command(("other",)))
    await fanout.dispatcher.subscribe([moved])
    assert first.closed
    assert fanout.receiver("all").bodies[0]["type"] == "syncd.state.reset.v1"
    assert set(fanout.journal.standings) == {"all"}


async def test_the_same_subscribers_again_change_nothing(fanout: Fanout) -> None:
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    await fanout.dispatcher.subscribe([ALL])
    assert fanout.receiver("all") is receiver
    assert len(receiver.tries) == 1


async def test_one_that_cannot_work_is_named_and_the_others_are_told(fanout: Fanout) -> None:
    with capture_logs() as logs:
        await fanout.start(IMPOSSIBLE, ALL)
        await fanout.dispatcher.subscribe([IMPOSSIBLE, ALL])  # as each change of the catalog does
    assert [(each["subscriber"], each["why"]) for each in logs] == [("impossible", "no such thing")]
    assert len(fanout.receiver("all").tries) == 1


async def test_one_that_cannot_work_is_shown_with_the_reason_until_it_is_gone(fanout: Fanout) -> None:
    await fanout.start(IMPOSSIBLE, ALL)
    standing = fanout.standing("impossible")
    assert (standing.state, standing.said, standing.full) == ("unusable", "no such thing", True)
    with pytest.raises(NotFound, match=r"impossible cannot be told: no such thing") as failed:
        await fanout.dispatcher.test("impossible")
    assert failed.value.where == "syncd.toml:3:1"
    await fanout.dispatcher.subscribe([ALL])
    assert [each.name for each in fanout.dispatcher.standings()] == ["all"]


async def test_one_that_cannot_work_any_more_is_behind_by_what_it_misses(fanout: Fanout) -> None:
    once_good = Subscriber("impossible", Command(("x",)))
    fanout.journal.standings["impossible"] = Standing("impossible", defined(once_good), fanout.journal.head.seq)
    await fanout.start(once_good)
    await fanout.publish(a="1")
    standing = fanout.standing("impossible")
    assert (standing.behind, standing.full, standing.since) == (1, False, fanout.now)


async def test_an_answer_that_comes_after_the_subscriber_was_dropped_counts_for_nothing(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    done = fanout.receiver("all")._done
    assert done is not None
    await fanout.dispatcher.subscribe([])
    done(Result("delivered", "late"))
    assert fanout.dispatcher.standings() == []


# promise 12
async def test_what_people_see_of_an_address_lacks_its_query(fanout: Fanout) -> None:
    await fanout.start(BRAIN)
    standing = fanout.standing("brain")
    assert (standing.target, standing.kind, standing.delivered) == ("http://brain/x", "webhook", 1)
    assert sum(fanout.dispatcher.latency.counts) == 1


# -- what people ask


async def test_a_test_message_tells_nothing_and_moves_nothing(fanout: Fanout) -> None:
    await fanout.start(ALL)
    fanout.receiver("all").answer = FAILED
    assert (await fanout.dispatcher.test("all")).said == "500"
    assert fanout.receiver("all").bodies[-1]["type"] == "syncd.test.v1"
    assert fanout.standing("all").state == "idle"


async def test_a_test_waits_for_the_try_that_is_under_way_and_what_comes_meanwhile_follows_it(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    testing = asyncio.create_task(fanout.dispatcher.test("all"))
    await asyncio.sleep(0)
    assert len(receiver.tries) == 1
    receiver.reply()
    await until(lambda: is_count(receiver, 2), "it is not tested")
    await fanout.publish(a="1")
    assert len(receiver.tries) == 2
    receiver.reply(Result("delivered", "tested"))
    assert (await testing).said == "tested"
    await until(lambda: is_count(receiver, 3), "what came meanwhile is not told")
    assert receiver.told[-1] == {"a": "1"}


async def test_a_replay_begins_at_an_event_at_a_time_or_with_everything(fanout: Fanout) -> None:
    await fanout.start(ALL)
    for number in range(3):
        fanout.now += 10
        await fanout.publish("revision", **{f"k{number}": "x"})
    await fanout.dispatcher.replay("all", event="e-2-j-2")
    await until(lambda: is_count(fanout.receiver("all"), 5), "no replay")
    assert fanout.receiver("all").told[-1] == {"k1": "x", "k2": "x"}
    await fanout.dispatcher.replay("all", since=fanout.now - 5)
    assert fanout.receiver("all").told[-1] == {"k2": "x"}
    await fanout.dispatcher.replay("all")
    assert fanout.receiver("all").bodies[-1]["type"] == "syncd.state.reset.v1"


# promise 15
async def test_a_replay_passes_over_nothing_that_is_owed(fanout: Fanout) -> None:
    await fanout.publish(a="1")
    fanout.receivers.answers["all"] = FAILED
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    fanout.now += 10
    await fanout.publish(b="2")
    receiver.answer = Result("delivered", "200")
    await fanout.dispatcher.replay("all", since=fanout.now - 5)
    assert receiver.told[-1] == {"a": "1", "b": "2"}, "the full state was owed"
    receiver.answer = FAILED
    await fanout.publish(c="3")
    fanout.now += 10
    last = await fanout.publish(d="4")
    receiver.answer = Result("delivered", "200")
    await fanout.dispatcher.replay("all", event=last.id)
    assert receiver.told[-1] == {"c": "3", "d": "4"}


async def test_a_replay_by_an_event_that_this_subscriber_was_not_told_begins_there(fanout: Fanout) -> None:
    await fanout.publish(a="1")
    await fanout.publish(b="2")
    await fanout.start(ALL)
    await fanout.dispatcher.replay("all", event="e-2-j-2")
    assert fanout.receiver("all").told[-1] == {"b": "2"}


async def test_unknown_names_and_events_are_told_with_what_there_is(fanout: Fanout) -> None:
    await fanout.start(ALL, BRAIN)
    with pytest.raises(NotFound, match="there are: all, brain"):
        await fanout.dispatcher.test("nobody")
    with pytest.raises(NotFound, match="the journal holds no event e-9-j-9"):
        await fanout.dispatcher.replay("all", event="e-9-j-9")


# -- what receivers that leave out known ids rely on


# promise 17
async def test_two_contents_never_have_one_id(fanout: Fanout) -> None:
    await fanout.publish(brain_model="a", tts_voice="v")
    await fanout.start(BRAIN)
    wider = Subscriber("brain", BRAIN.target, Filter(("brain/", "tts/")))
    first = fanout.receiver("brain").tries[0]
    await fanout.dispatcher.subscribe([wider])
    second = fanout.receiver("brain").tries[0]
    assert first.id != second.id
    await fanout.dispatcher.replay("brain")
    third = fanout.receiver("brain").tries[1]
    assert third.id not in {first.id, second.id}, "whoever orders a replay wants it to be taken"


# promise 17
async def test_a_full_state_is_the_same_under_its_id_after_a_restart_and_has_another_where_another_commit_says_it(
    tmp_path: Path,
) -> None:
    found: list[Message] = []
    for commit in ("c1", "c1", "c2"):
        async with opened(tmp_path) as fanout:
            fanout.view.revision = ToldRevision(commit, time=7)
            if not found:
                await fanout.publish(a="1")
            fanout.view.entries["a"] = Entry(b"1", 0, 1)
            fanout.receivers.answers["all"] = FAILED
            fanout.now += len(found) * 1000
            await fanout.start(ALL)
            await until(lambda: is_count(fanout.receiver("all"), 1), "it is not tried again")
            found.append(fanout.receiver("all").tries[-1])
    first, again, other = found
    assert again == first
    assert other.id != first.id


# promise 17
async def test_a_replay_keeps_its_id_over_tries_and_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as fanout:
        await fanout.start(ALL)
        fanout.receiver("all").answer = FAILED
        await fanout.publish(a="1")
        await fanout.dispatcher.replay("all", since=0.0)
        ordered = fanout.receiver("all").tries[-1].id
        assert ordered.endswith("-id")
    async with opened(tmp_path) as fanout:
        fanout.view.entries["a"] = Entry(b"1", 0, 1)
        await fanout.start(ALL)
        fanout.now = fanout.standing("all").next
        fanout.dispatcher._tries.wake.set()
        await until(lambda: is_count(fanout.receiver("all"), 1), "it is not tried again")
        assert fanout.receiver("all").tries[0].id == ordered
        await fanout.publish(b="2")
        assert not fanout.receiver("all").tries[-1].id.endswith("-id")


# promise 12
async def test_what_became_a_secret_after_it_was_written_is_not_told_any_more(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    await fanout.publish(api_token="hunter2")  # no secret of ours
    fanout.view.secrets.add("api/token")
    fanout.view.turns += 1
    fanout.receiver("all").reply()
    (change,) = fanout.receiver("all").bodies[-1]["data"]["changes"]
    assert (change.get("new"), change["secret"]) == (None, True)


async def test_a_file_is_looked_at_again_at_every_start(tmp_path: Path) -> None:
    """Somebody may have deleted it, or edited its template."""
    copy = Subscriber("copy", File("/run/x", "/etc/x.j2"))
    for _ in range(2):
        async with opened(tmp_path) as fanout:
            await fanout.start(copy)
            assert len(fanout.receiver("copy").tries) == 1


async def test_the_full_state_of_many_keys_is_made_for_one_after_the_other(fanout: Fanout) -> None:
    fanout.view.entries = {f"k{number}": Entry(b"1", 0, 1) for number in range(6_000)}
    others = [Subscriber(f"s{number}", Command(("x",)), Filter((f"k{number}",))) for number in range(5)]
    await fanout.start(*others)
    assert [fanout.receiver(each.name).tries for each in others] == [[]] * 5
    for each in others:
        await until(lambda name=each.name: is_count(fanout.receiver(name), 1), "it is not told")  # type: ignore[misc]


async def test_a_subscriber_that_goes_during_a_test_ends_it(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.reply()
    testing = asyncio.create_task(fanout.dispatcher.test("all"))
    await until(lambda: is_count(receiver, 2), "it is not tested")
    waiting = asyncio.create_task(fanout.dispatcher.replay("all"))
    await asyncio.sleep(0)
    await fanout.dispatcher.subscribe([])
    for task in (testing, waiting):
        with pytest.raises(NotFound, match="gone meanwhile"):
            await task


async def test_nothing_is_started_once_the_dispatcher_is_closed(fanout: Fanout) -> None:
    fanout.receivers.answers["all"] = None
    await fanout.start(ALL)
    receiver = fanout.receiver("all")
    receiver.reply()
    testing = asyncio.create_task(fanout.dispatcher.test("all"))
    await until(lambda: is_count(receiver, 2), "it is not tested")
    await fanout.publish(a="1")
    await fanout.dispatcher.close()
    testing.cancel()
    await asyncio.gather(testing, return_exceptions=True)
    assert len(receiver.tries) == 2
