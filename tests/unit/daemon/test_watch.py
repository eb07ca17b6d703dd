"""What a watch does with each kind of answer, on a store that answers as a script says."""

import asyncio
from collections.abc import Iterator

import pytest

from syncd.core.errors import Denied, StoreError, Unreachable
from syncd.core.live import Entry
from syncd.core.mirror import Mirror, Observed
from syncd.core.shards import WHOLE, Shard
from syncd.daemon import watch
from syncd.daemon.service import Service
from syncd.daemon.survey import Held
from syncd.daemon.watch import WAIT_SECONDS, Watch

LISTED = 10
PART = Shard("a")

Answered = tuple[dict[str, Entry] | None, int]


class Clock:
    """Goes on only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Stands in for store and survey: gives one answer after another, each after so many seconds, then hangs."""

    def __init__(self, clock: Clock, *answers: tuple[float, Answered | StoreError]) -> None:
        self.clock = clock
        self.answers: Iterator[tuple[float, Answered | StoreError]] = iter(answers)
        self.asked: list[tuple[str, int]] = []
        self.denied = False
        self.moves: dict[str, int] = {}
        self.over = asyncio.Event()

    async def watch_prefix(self, part: str, index: int, *, exact: bool, wait: float) -> Answered:
        self.asked.append((part, index))
        found = next(self.answers, None)
        if found is None:
            self.over.set()
            await asyncio.Event().wait()
            raise AssertionError
        seconds, answer = found
        self.clock.now += seconds
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def moved(self, part: str, index: int = 0, *, wait: float = 0.0) -> int:
        self.asked.append((f"{part}?", index))
        if index >= self.moves[part]:
            self.over.set()
            await asyncio.Event().wait()
        return self.moves[part]

    async def demand_rights(self) -> None:
        if self.denied:
            raise Denied("no")


class Listening:
    """Takes note of what a watch tells."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.current = Held(Mirror(entries), None, 0, LISTED)
        self.changed: list[str] = []
        self.resets: list[str] = []

    async def held(self) -> Held:
        return self.current

    def note(self, held: Held, changed: tuple[Observed, ...]) -> None:
        self.changed += [each.key for each in changed]

    def reset(self, held: Held, why: str) -> None:
        self.resets.append(why)
        self.current = Held(held.mirror, None, 0, LISTED + 100)


def entry(index: int) -> Entry:
    return Entry(b"v", 0, index)


async def follow(store: Scripted, listening: Listening, shard: Shard = WHOLE) -> None:
    """Let a watch run until the script is over or it ends by itself."""
    made = Watch(
        store,  # type: ignore[arg-type]  # what a watch uses of a store
        store,  # type: ignore[arg-type]  # and of a survey
        shard,
        listening,
        gate=asyncio.Semaphore(),
        pulse=Service({}, clock=store.clock).pulse("watch"),
        clock=store.clock,
        draw=lambda: 0.0,
    )
    async with asyncio.timeout(10):
        run, over = asyncio.ensure_future(made.run()), asyncio.ensure_future(store.over.wait())
        await asyncio.wait([run, over], return_when=asyncio.FIRST_COMPLETED)
        for task in (run, over):
            task.cancel()
        await asyncio.gather(run, over, return_exceptions=True)


async def test_a_change_is_told_and_the_watch_goes_on_from_its_index() -> None:
    store = Scripted(Clock(), (1, ({"a1": entry(11)}, 11)))
    listening = Listening({"a1": entry(5)})
    await follow(store, listening)
    assert listening.changed == ["a1"]
    assert store.asked == [("", LISTED), ("", 11)]


async def test_a_quiet_wait_tells_nothing() -> None:
    store = Scripted(Clock(), (WAIT_SECONDS, ({"a1": entry(5)}, 5)), (WAIT_SECONDS, (None, 5)))
    listening = Listening({"a1": entry(5)})
    await follow(store, listening)
    assert (listening.changed, listening.resets) == ([], [])
    assert [index for _, index in store.asked] == [LISTED, 5, 5]


@pytest.mark.parametrize(
    "answer",
    [
        (1, ({"a1": entry(5)}, 5)),
        (1, (None, LISTED)),
        (1, ({"a1": entry(4)}, 12)),
        (700, ({"a1": entry(11)}, 11)),
    ],
    ids=["early and lower", "early and the same", "a key's index fell", "after a long silence"],
)
async def test_what_may_come_from_a_store_that_went_back_has_everything_read(answer: tuple[float, Answered]) -> None:
    store = Scripted(Clock(), answer)
    listening = Listening({"a1": entry(5)})
    await follow(store, listening)
    assert len(listening.resets) == 1
    assert listening.changed == []
    assert store.asked[-1] == ("", LISTED + 100)


async def test_promise_5_an_answer_that_may_be_filtered_deletes_nothing() -> None:
    store = Scripted(Clock(), (1, ({}, 11)))
    store.denied = True
    listening = Listening({"a1": entry(5)})
    await follow(store, listening)
    assert listening.current.live == {"a1": entry(5)}
    assert listening.resets == ["no"]


async def test_a_store_that_is_away_is_asked_again_from_where_the_list_stood() -> None:
    store = Scripted(Clock(), (1, Unreachable("away")), (1, ({"a1": entry(11)}, 11)))
    listening = Listening({"a1": entry(5)})
    await follow(store, listening)
    assert (listening.changed, listening.resets) == (["a1"], [])


async def test_a_watch_without_keys_ends() -> None:
    store = Scripted(Clock(), (1, ({}, 11)))
    listening = Listening({"a1": entry(5)})
    await follow(store, listening, Shard("a1", exact=True))
    assert listening.changed == ["a1"]
    assert not store.over.is_set()


async def test_a_part_is_first_asked_whether_it_moved_since_the_list() -> None:
    store = Scripted(Clock(), (0, ({"a1": entry(12)}, 12)))
    store.moves = {"a": 11}
    listening = Listening({"a1": entry(5)})
    await follow(store, listening, PART)
    assert listening.changed == ["a1"]
    assert store.asked == [("a?", LISTED), ("a", 0), ("a", 12)]


async def test_an_answer_to_a_question_from_before_a_full_read_is_dropped() -> None:
    listening = Listening({"a1": entry(5)})

    class Meanwhile(Scripted):
        async def watch_prefix(self, part: str, index: int, *, exact: bool, wait: float) -> Answered:
            answer = await super().watch_prefix(part, index, exact=exact, wait=wait)
            listening.current = Held(Mirror({"a1": entry(20)}), None, 0, 20)
            return answer

    store = Meanwhile(Clock(), (1, ({}, 11)))
    await follow(store, listening)
    assert listening.changed == []
    assert listening.current.live == {"a1": entry(20)}
    assert store.asked[-1] == ("", 20)


@pytest.fixture
def heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.core.shards.WHOLE_UP_TO", 0)
    monkeypatch.setattr("syncd.core.shards.FINEST", 1)
    monkeypatch.setattr(watch, "HEAVY", 1)


@pytest.mark.usefixtures("heavy")
async def test_of_a_heavy_shard_only_the_part_that_moved_is_read() -> None:
    store = Scripted(Clock(), (0, ({"a2": entry(11)}, 11)))
    store.moves = {"a": 11, "a1": 5, "a2": 11}
    listening = Listening({"a1": entry(5), "a2": entry(6)})
    await follow(store, listening, PART)
    assert listening.changed == ["a2"]
    assert store.asked == [("a?", LISTED), ("a1?", 0), ("a2?", 0), ("a2", 0), ("a?", 11)]


@pytest.mark.usefixtures("heavy")
async def test_a_heavy_shard_none_of_whose_parts_moved_is_read_whole() -> None:
    store = Scripted(Clock(), (0, ({"a1": entry(5), "a2": entry(6), "a3": entry(11)}, 11)))
    store.moves = {"a": 11, "a1": 5, "a2": 6}
    listening = Listening({"a1": entry(5), "a2": entry(6)})
    await follow(store, listening, PART)
    assert listening.changed == ["a3"]
    assert ("a", 0) in store.asked


@pytest.mark.usefixtures("heavy")
async def test_a_heavy_shard_with_too_many_branches_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PARTS", 1)
    store = Scripted(Clock(), (0, ({"a1": entry(5), "a2": entry(11)}, 11)))
    store.moves = {"a": 11}
    listening = Listening({"a1": entry(5), "a2": entry(6)})
    await follow(store, listening, PART)
    assert listening.changed == ["a2"]
