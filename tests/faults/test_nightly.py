"""Faults 20 and 21: one snapshot for each local date, whoever leads, whatever fails, however often it is restarted."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from syncd.core.control import Control, Pause
from syncd.core.control import encode as encode_orders
from syncd.core.snapshots.claim import Claim, decode, encode
from syncd.core.snapshots.cron import parse_cron
from syncd.core.snapshots.failing import Failure, Good
from syncd.core.snapshots.manifest import Manifest
from syncd.core.snapshots.schedule import Due, Schedule
from syncd.daemon import rota
from syncd.daemon.lease import Lease
from syncd.daemon.schedule import Nightly
from syncd.daemon.service import Service
from syncd.daemon.snapshot import Snapshots
from syncd.daemon.turn import Turn
from syncd.snapshots.folder import Folder
from syncd.wiring.parts import Parts
from syncd.wiring.snapshots import open_snapshots
from tests.support.proxy import Gate, answer, anything, held_reply, proxy_to, reset
from tests.support.scene import Scene
from tests.support.waiting import until

BERLIN = ZoneInfo("Europe/Berlin")
CLAIM = ".syncd/snapshot"


class Clock:
    """A clock that a test sets, by local time in Berlin."""

    def __init__(self, text: str) -> None:
        self.now = 0.0
        self.set(text)

    def __call__(self) -> float:
        return self.now

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()

    def forward(self, seconds: float) -> None:
        self.now += seconds


class Node:
    """One node's nightly snapshots, by a clock of the test's, on a real lease and a real Consul."""

    def __init__(
        self, parts: Parts, lease: Lease, folder: Path, clock: Clock, address: str | None = None, after: str = ""
    ) -> None:
        self.parts = parts
        self.lease = lease
        self.folder = folder
        self.clock = clock
        self.address = address
        self.after = after
        self.failures: list[Failure] = []
        self.nightly = self.restarted()

    def restarted(self, plan: Schedule | None = None, clock: Callable[[], float] | None = None) -> Nightly:
        """Make it anew: nothing is remembered but what stands in the folder and in the store."""
        turn = Turn(self.parts.store, self.lease, id_=f"{id(self)}", holder=f"node {self.folder}", now=self.clock)
        self.nightly = Nightly(
            Folder(self.folder),
            self.opened,
            turn,
            plan or Schedule(parse_cron("0 2 * * *"), BERLIN),
            self.sound,
            expression="0 2 * * *",
            node="node a",
            now=clock or self.clock,
        )
        return self.nightly

    def opened(self) -> AbstractAsyncContextManager[Snapshots]:
        """Open what takes snapshots."""
        wanted = replace(self.parts.settings.snapshots, directory=self.folder, after=tuple(self.after.split()))
        settings = replace(self.parts.settings, snapshots=wanted)
        return open_snapshots(settings, self.parts.environment, address=self.address)

    async def sound(self, failure: Failure) -> None:
        self.failures.append(failure)

    async def look(self, text: str) -> None:
        self.clock.set(text)
        await self.nightly.look()

    def manifests(self) -> list[Manifest]:
        return [each.manifest for each in Folder(self.folder).snapshots() if each.manifest]

    def dates(self) -> list[str]:
        return sorted(str(each.date) for each in self.manifests())

    def names(self) -> set[str]:
        return {entry.name for entry in self.folder.iterdir()} - {".syncd-lock"}


@asynccontextmanager
async def node(
    scene: Scene, name: str, folder: Path, *, leads: bool, address: str | None = None, after: str = ""
) -> AsyncIterator[Node]:
    """Open a node, which leads if it is to; ``address`` is where it asks for snapshots, ``after`` what it runs then."""
    async with scene.node(name, snapshots__keep_daily="99") as parts:
        lease = parts.lease()
        if leads:
            assert await lease.campaign()
        try:
            yield Node(parts, lease, folder, Clock("2026-05-05T01:00"), address, after)
        finally:
            await lease.resign()


def claim(scene: Scene) -> Claim | None:
    entry = scene.live.all().get(CLAIM)
    return decode(entry.value if entry else None)


# promise 22
async def test_it_takes_exactly_one_each_night_over_both_changes_of_the_clocks(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2026-03-27T03:00")
        for day in ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"):
            one.clock.set(f"{day}T00:00")
            for _ in range(2 * 24):
                await one.nightly.look()
                one.clock.forward(1800)
        assert one.dates() == [
            "2026-03-27",
            "2026-03-28",
            "2026-03-29",
            "2026-03-30",
            "2026-10-23",  # made up for, at midnight
            "2026-10-24",
            "2026-10-25",
            "2026-10-26",
        ]
        by_date = {str(each.date): each for each in one.manifests()}
        assert datetime.fromtimestamp(by_date["2026-03-30"].taken, BERLIN).time().isoformat() == "02:00:00"
        found = claim(scene)
        assert found is not None
        assert found.date == date(2026, 10, 26)
        assert one.nightly.standing().failures == 0
        assert not one.nightly.standing().late


# promise 22
async def test_restarts_at_any_time_take_no_second_one_and_missed_nights_cost_one(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        for text in ("05T02:00", "05T02:01", "05T12:00", "06T01:59", "06T02:00", "10T17:00", "10T17:01", "11T01:59"):
            one.restarted()
            await one.look(f"2026-05-{text}")
        assert one.dates() == ["2026-05-05", "2026-05-06", "2026-05-10"]


# promise 22
async def test_two_nodes_at_once_make_one_file_and_whoever_stands_by_takes_none(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    async with (
        node(scene, "a", folder, leads=True) as one,
        node(scene, "b", folder, leads=False) as other,
        node(scene, "c", tmp_path / "own", leads=False) as third,
    ):
        for text in ("2026-05-05T02:00", "2026-05-05T02:01"):
            await asyncio.gather(one.look(text), other.look(text), third.look(text))
        assert one.dates() == ["2026-05-05"]
        assert not third.folder.exists()
        blocked = tmp_path / "file"
        blocked.write_text("no directory")
        third.folder = blocked / "backup"
        third.restarted()
        await third.look("2026-05-05T02:01")
        assert third.failures == [], "only whose turn it is tells"
        third.folder = tmp_path / "own"
        third.restarted()
        await third.look("2026-05-09T12:00")
        assert third.nightly.standing().trouble is None, "what is not its turn is not its trouble"
        await one.lease.resign()
        assert await other.lease.campaign()
        await other.look("2026-05-05T02:02")
        await one.look("2026-05-05T02:02")
        assert one.dates() == ["2026-05-05"], "a takeover takes no second one"


# promise 10
@pytest.mark.parametrize("order", [encode_orders(Control(pause=Pause("Ana", 1))), b"no order that can be read"])
async def test_a_pause_costs_no_night_and_nothing_is_written_meanwhile(
    scene: Scene, tmp_path: Path, order: bytes
) -> None:
    scene.live.put(".syncd/control", order)
    before = scene.snapshot()
    async with (
        node(scene, "a", tmp_path / "shared", leads=False) as one,
        node(scene, "b", tmp_path / "shared", leads=False) as other,
        node(scene, "c", tmp_path / "own", leads=False) as third,
    ):
        for text in ("2026-05-05T02:00", "2026-05-06T02:00"):
            one.clock.set(text)
            for _ in range(16):
                for each in (one, other, third):
                    each.clock.now = one.clock.now
                    await each.nightly.look()
                one.clock.forward(60)
        assert one.dates() == ["2026-05-05", "2026-05-06"], "one for each date, by the directory's lock"
        assert third.dates() == ["2026-05-05", "2026-05-06"], "a directory of its own"
        assert scene.snapshot() == before
        scene.live.delete(".syncd/control")
        await one.look("2026-05-07T02:00")
        assert one.dates()[2:] == ["2026-05-07"]
        assert claim(scene) is not None


async def test_where_nobody_leads_one_of_several_takes_it(scene: Scene, tmp_path: Path) -> None:
    """All are paused, or their tip is invalid: that is no reason to be without a snapshot."""
    gate = Gate()
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(anything, held_reply(gate))
        async with (
            node(scene, "a", tmp_path / "one", leads=False, address=proxy.address) as one,
            node(scene, "b", tmp_path / "two", leads=False) as other,
        ):
            taking = asyncio.create_task(one.look("2026-05-05T02:00"))
            await gate.arrived()
            await other.look("2026-05-05T02:00")
            assert other.manifests() == [], "it is being taken"
            gate.release()
            await taking
            assert one.dates() == ["2026-05-05"]


async def test_whoever_lost_the_claim_while_it_took_one_throws_it_away(scene: Scene, tmp_path: Path) -> None:
    gate = Gate()
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(anything, held_reply(gate))
        async with (
            node(scene, "a", tmp_path / "one", leads=True, address=proxy.address) as one,
            node(scene, "b", tmp_path / "two", leads=False) as other,
        ):
            taking = asyncio.create_task(one.look("2026-05-05T02:00"))
            await gate.arrived()
            await one.lease.resign()
            assert await other.lease.campaign()
            await other.look("2026-05-05T02:00")
            gate.release()
            await taking
            assert other.dates() == ["2026-05-05"]
            assert one.names() == set()
            assert one.nightly.standing().trouble is None


async def test_a_claim_from_before_a_restore_or_without_a_file_keeps_nobody_away(scene: Scene, tmp_path: Path) -> None:
    left = Claim(date(2026, 5, 5), "dead", "a node that died", "an epoch of before", 0)
    scene.live.put(CLAIM, encode(left))
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2026-05-05T02:00")
        assert one.dates() == ["2026-05-05"]
        found = claim(scene)
        assert found is not None
        assert found.id != "dead"
        scene.live.put(CLAIM, b"{ no claim }")
        await one.look("2026-05-06T02:00")
        assert one.dates() == ["2026-05-05", "2026-05-06"]
        scene.live.delete(CLAIM)
        await one.look("2026-05-07T02:00")
        assert one.dates() == ["2026-05-05", "2026-05-06", "2026-05-07"]


async def test_what_somebody_takes_or_deletes_meanwhile_is_seen(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2026-05-05T02:00")
        first = Path(one.nightly.standing().file)
        scene.live.put("a", "1")
        one.clock.set("2026-05-05T12:00")
        async with one.opened() as snapshots:
            by_hand = await snapshots.take(one.clock(), lambda _: None)
        await one.look("2026-05-05T12:01")
        assert one.nightly.standing().file == str(by_hand.path) != str(first)
        for file in (first, by_hand.path):
            file.unlink()
        await one.look("2026-05-05T12:02")
        assert one.dates() == ["2026-05-05"], "the file is the truth"
        await one.look("2026-05-05T12:03")
        assert one.dates() == ["2026-05-05"]


# promise 21
async def test_a_file_that_is_damaged_is_none(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2026-05-05T02:00")
        (file,) = one.folder.glob("*.snap")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        one.restarted()
        await one.look("2026-05-05T02:01")
        assert one.dates() == ["2026-05-05", "2026-05-05"]
        assert file.read_bytes() == content, "it stays for a person to look at"
        assert Path(one.nightly.standing().file) != file


# promise 22
async def test_a_failure_is_told_once_tried_again_ever_later_and_forgotten_after_a_success(
    scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(anything, answer(403, b"Permission denied"), times=3)
        async with node(scene, "a", tmp_path / "backup", leads=True, address=proxy.address) as one:
            one.clock.set("2026-05-05T02:00")
            tries = []
            for _ in range(12):
                await one.nightly.look()
                tries.append(one.nightly.standing().failures)
                trouble = one.nightly.standing().trouble
                if one.dates():
                    assert trouble is None
                else:
                    assert trouble is not None
                    assert "Permission denied" in trouble.message
                    assert "management token" in trouble.hint
                one.clock.forward(60)
            assert tries == [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3], "after one, two and four minutes"
            assert one.dates() == ["2026-05-05"]
            assert {(each.date, each.cause) for each in one.failures} == {("2026-05-05", "failed")}
            assert one.names() == {each for each in one.names() if each.startswith("consul-20260505")}
    assert "".join(capfd.readouterr()).count("the scheduled snapshot failed") == 1


# promise 22
async def test_one_that_stays_away_is_late_26_hours_after_the_last(
    scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2026-05-05T02:00")
        with Folder(one.folder).locked():  # somebody takes one, and never comes to an end
            await one.look("2026-05-06T02:00")
            await one.look("2026-05-06T04:00")
            assert not one.nightly.standing().late
            await one.look("2026-05-06T04:01")
            await one.look("2026-05-06T04:02")
            standing = one.nightly.standing()
            assert standing.late
            (last,) = one.manifests()
            for told in one.failures:
                assert (told.what, told.cause, told.date) == ("snapshot", "late", "2026-05-06")
                assert told.due == int(datetime(2026, 5, 6, 2, tzinfo=BERLIN).timestamp())
                assert told.last == Good(last.file, last.taken)
            assert standing.trouble is not None
            assert "late" in standing.trouble.message
        await one.look("2026-05-06T04:03")
        standing = one.nightly.standing()
        assert (standing.late, standing.trouble) == (False, None)
        assert one.dates() == ["2026-05-05", "2026-05-06"]
    assert "".join(capfd.readouterr()).count("the scheduled snapshot is late") == 1


async def test_a_program_that_fails_after_it_is_told_until_the_next_success_and_takes_no_second_one(
    scene: Scene, tmp_path: Path
) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True, after="false") as one:
        for text in ("05T02:00", "05T02:01", "05T23:00"):
            await one.look(f"2026-05-{text}")
            trouble = one.nightly.standing().trouble
            assert trouble is not None
            assert "snapshots.after" in trouble.hint
        assert one.dates() == ["2026-05-05"]
        one.after = "true"
        one.restarted()
        await one.look("2026-05-06T02:00")
        assert one.dates() == ["2026-05-05", "2026-05-06"]
        assert one.nightly.standing().trouble is None


async def test_a_directory_that_cannot_be_read_fails_as_often_as_a_try(scene: Scene, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    async with node(scene, "a", blocked / "backup", leads=True) as one:
        one.clock.set("2026-05-05T02:00")
        for _ in range(8):
            await one.nightly.look()
            one.clock.forward(60)
        assert one.nightly.standing().failures == 4
        assert {each.where for each in one.failures} == {str(one.folder)}
        blocked.unlink()
        await one.look("2026-05-05T03:00")
        assert one.dates() == ["2026-05-05"]


async def test_a_store_that_is_away_is_the_passes_to_tell_until_the_snapshot_is_late(
    scene: Scene, tmp_path: Path
) -> None:
    with proxy_to(scene.live.agent.address) as proxy:
        async with scene.node("a", address=proxy.address) as parts:
            one = Node(parts, parts.lease(), tmp_path / "backup", Clock("2026-05-05T01:00"))
            await one.look("2026-05-05T02:00")
            assert one.dates() == ["2026-05-05"], "nobody leads"
            proxy.when(anything, reset, times=None)
            await one.look("2026-05-06T02:00")
            assert one.nightly.standing().trouble is None
            await one.look("2026-05-06T04:01")
            assert one.nightly.standing().late


async def test_the_scheduler_wakes_the_loop_when_one_comes_due(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else does here: the looks of every minute come an hour apart."""
    monkeypatch.setattr(rota, "LOOK_SECONDS", 3600.0)
    today = Due(date(2026, 5, 5), time.time() + 0.5)

    class Soon(Schedule, frozen=True):
        """Yesterday's is due at once, today's in a moment."""

        def latest(self, now: float) -> Due:
            return today if now >= today.at else Due(today.day - timedelta(1), today.at - 9)

        def next(self, now: float) -> Due:
            return today if now < today.at else Due(today.day + timedelta(1), now + 9999)

    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        nightly = one.restarted(Soon(parse_cron("@daily"), BERLIN), time.time)
        running = asyncio.create_task(rota.keep([nightly], Service({}, clock=time.monotonic).pulse("snapshot")))

        async def both() -> bool:
            return one.folder.exists() and "2026-05-05" in one.dates()

        await until(both, "the scheduler wakes nobody")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def daily(scene: Scene, name: str, folder: Path, address: str | None = None) -> AsyncIterator[Parts]:
    """Run a daemon that has applied the tip, by the machine's clock."""
    tip = scene.repository.git("rev-parse", "HEAD").strip()
    running = scene.daemon(name, address=address, snapshots__directory=str(folder), snapshots__schedule="@daily")
    async with running as parts:
        await scene.until_applied(tip)
        yield parts


async def test_daemons_that_share_a_directory_take_the_one_that_is_due_and_restarts_take_no_other(
    scene: Scene, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"

    async def is_taken() -> bool:
        return folder.exists() and len(Folder(folder).snapshots()) == 1

    async with daily(scene, "a", folder), daily(scene, "b", folder):
        await until(is_taken, "no snapshot")
    async with daily(scene, "a", folder):
        await until(is_taken, "no snapshot")
    assert len(list(folder.glob("*.snap"))) == 1


# promise 13
async def test_a_daemon_that_is_stopped_while_it_takes_one_leaves_nothing_behind(scene: Scene, tmp_path: Path) -> None:
    folder, gate = tmp_path / "backup", Gate()
    with proxy_to(scene.live.agent.address) as proxy:
        proxy.when(lambda request: request.path == "/v1/snapshot", held_reply(gate))
        async with daily(scene, "a", folder, proxy.address):
            await gate.arrived()
        gate.release()
    assert {each.name for each in folder.iterdir()} == {".syncd-lock"}


async def test_a_missing_token_file_fails_the_snapshot_and_nothing_else(
    scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    async def is_told() -> bool:
        told.extend(capfd.readouterr())
        return "snapshots.token_file" in "".join(told)

    async with scene.daemon(snapshots__token_file=str(tmp_path / "nowhere")) as parts:
        assert parts.settings.snapshots.schedule == "0 2 * * *"
        await scene.until_applied(scene.repository.git("rev-parse", "HEAD").strip())
        await until(is_told, "nobody was told")
    assert claim(scene) is None
