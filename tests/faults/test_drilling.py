"""Drills on schedule: one passes for each date, whoever leads, whatever fails, however often it is restarted."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from syncd.core.snapshots.cron import parse_cron
from syncd.core.snapshots.drilling import Drilled
from syncd.core.snapshots.failing import Failure
from syncd.core.snapshots.retention import Policy
from syncd.core.snapshots.schedule import Schedule
from syncd.daemon.drill import Report, rehearse
from syncd.daemon.drilling import Drills
from syncd.daemon.lease import Lease
from syncd.daemon.snapshot import Snapshots
from syncd.daemon.turn import Turn
from syncd.snapshots.folder import Folder
from syncd.wiring.parts import Parts
from tests.support.consul import consul_binary
from tests.support.scene import Scene

BERLIN: Final = ZoneInfo("Europe/Berlin")
SUNDAY: Final = "2026-05-10T04:00"
SAME: Final = Report("a scratch store", 0.1, Drilled(3, (), (), ()))


class Node:
    """One node's drills by a clock of the test's. ``finds`` is what each drill finds; None: it is really made."""

    def __init__(self, parts: Parts, lease: Lease, folder: Path, finds: Report | None) -> None:
        self.parts = parts
        self.lease = lease
        self.folder = Folder(folder)
        self.finds = finds
        self.now = 0.0
        self.made: list[str] = []
        self.failures: list[Failure] = []
        self.drills = self.restarted()

    def restarted(self) -> Drills:
        """Make it anew: nothing is remembered but what stands in the folder."""
        turn = Turn(self.parts.store, self.lease, id_="1", holder="a", now=lambda: self.now)
        plan = Schedule(parse_cron("0 4 * * sun"), BERLIN)
        self.drills = Drills(
            self.folder, self.rehearse, turn, plan, self.sound, expression="sun", node="node a", now=lambda: self.now
        )
        return self.drills

    async def rehearse(self, path: Path, *, embedded: bool) -> Report:
        self.made.append(path.name)
        return self.finds or await rehearse(path, embedded=embedded)

    async def sound(self, failure: Failure) -> None:
        self.failures.append(failure)

    async def look(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()
        await self.drills.look()

    async def take(self, text: str) -> str:
        """Take a snapshot at a local time."""
        now = datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()
        snapshots = Snapshots(
            self.parts.store, self.folder, Policy(9, 9, 9, 9), prefix="p", zone=BERLIN, after=(), environment={}
        )
        return (await snapshots.take(now, lambda _: None)).path.name

    @property
    def dates(self) -> date | None:
        passed = self.folder.passed()
        return passed.date if passed else None


@asynccontextmanager
async def node(
    scene: Scene, name: str, folder: Path, *, leads: bool, finds: Report | None = SAME
) -> AsyncIterator[Node]:
    async with scene.node(name) as parts:
        lease = parts.lease()
        if leads:
            assert await lease.campaign()
        try:
            yield Node(parts, lease, folder, finds)
        finally:
            await lease.resign()


@pytest.fixture
def consul_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(consul_binary()).parent}:{os.environ['PATH']}")


# promise 23
async def test_each_week_the_newest_is_restored_and_compared_and_nothing_is_written_into_the_store(
    scene: Scene, tmp_path: Path, consul_on_path: None
) -> None:
    scene.live.put("a", "1")
    async with node(scene, "a", tmp_path / "backup", leads=True, finds=None) as one:
        await one.take("2026-05-09T02:00")
        scene.live.put("b", "1")
        newest = await one.take("2026-05-10T02:00")
        before = scene.snapshot()
        await one.look(SUNDAY)
        standing = one.drills.standing()
        assert (one.made, standing.file, standing.trouble, standing.failures) == ([newest], newest, None, 0)
        assert "Consul" in standing.store
        assert datetime.fromtimestamp(standing.next, BERLIN).isoformat() == "2026-05-17T04:00:00+02:00"
        assert scene.snapshot() == before
        passed = one.folder.passed()
        assert passed is not None
        assert passed.keys >= 2
        assert one.failures == []


# promise 23
async def test_restarts_and_takeovers_repeat_none_and_missed_ones_cost_one(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    async with node(scene, "a", folder, leads=True) as one, node(scene, "b", folder, leads=False) as other:
        await one.take("2026-05-10T02:00")
        for text in (SUNDAY, "2026-05-10T04:01", "2026-05-12T12:00", "2026-05-17T03:59"):
            one.restarted()
            await one.look(text)
            await other.look(text)
        assert (len(one.made), other.made, one.dates) == (1, [], date(2026, 5, 10))
        await one.lease.resign()
        assert await other.lease.campaign()
        for text in ("2026-05-17T03:59", "2026-06-02T12:00", "2026-06-02T12:01"):
            await other.look(text)
            await one.look(text)
        assert (len(one.made), len(other.made), other.dates) == (1, 1, date(2026, 5, 31))


async def test_where_nobody_leads_one_of_those_that_share_a_directory_drills(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    async with node(scene, "a", folder, leads=False) as one, node(scene, "b", folder, leads=False) as other:
        await one.take("2026-05-10T02:00")
        for text in (SUNDAY, "2026-05-10T04:01"):
            await asyncio.gather(one.look(text), other.look(text))
        assert len(one.made) + len(other.made) == 1
        assert one.failures == other.failures == []


# promise 23
async def test_without_a_consul_it_fails_is_told_tried_again_and_forgotten_once_it_passes(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without = tmp_path / "bin"
    without.mkdir()
    (without / "git").symlink_to(shutil.which("git") or "")
    async with node(scene, "a", tmp_path / "backup", leads=True, finds=None) as one:
        newest = await one.take("2026-05-10T02:00")
        with monkeypatch.context() as bare:
            bare.setenv("PATH", str(without))
            for minute in range(4):
                await one.look(f"2026-05-10T04:0{minute}")
        standing = one.drills.standing()
        assert (standing.failures, standing.last) == (3, 0.0), "after a minute, then after two more"
        assert standing.trouble is not None
        assert "no consul on PATH" in standing.trouble.message
        assert {(each.what, each.cause, each.date) for each in one.failures} == {("drill", "failed", "2026-05-10")}
        monkeypatch.setenv("PATH", f"{Path(consul_binary()).parent}:{os.environ['PATH']}")
        await one.look("2026-05-10T04:30")
        standing = one.drills.standing()
        assert (standing.trouble, standing.file) == (None, newest)
    assert "".join(capfd.readouterr()).count("the scheduled drill failed") == 1


# promise 12
async def test_what_a_consul_prints_that_ends_is_in_the_log_and_not_told(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    talks = tmp_path / "bin" / "consul"
    talks.parent.mkdir()
    talks.write_text('#!/bin/sh\n[ "$1" = version ] && echo Consul v1.8.7 && exit\necho hunter2\nexit 3\n')
    talks.chmod(0o755)
    async with node(scene, "a", tmp_path / "backup", leads=True, finds=None) as one:
        await one.take("2026-05-10T02:00")
        monkeypatch.setenv("PATH", f"{talks.parent}:{os.environ['PATH']}")
        await one.look(SUNDAY)
        (told,) = one.failures
        assert told.why == "the scratch Consul ended with 3"
        assert "hunter2" not in str(told)
    assert "hunter2" in "".join(capfd.readouterr())


async def test_a_machine_on_which_none_can_be_made_fails_the_drill_and_not_the_daemon(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True, finds=None) as one:
        await one.take("2026-05-10T02:00")
        broken = tmp_path / "bin" / "consul"
        broken.parent.mkdir()
        broken.write_bytes(b"\x7fELF of another machine")
        broken.chmod(0o755)
        with monkeypatch.context() as here:
            here.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
            await one.look("2026-05-10T04:00")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        monkeypatch.setenv("PATH", f"{Path(consul_binary()).parent}:{os.environ['PATH']}")
        await one.look("2026-05-10T04:10")
        said = [each.why for each in one.failures]
        assert "Exec format error" in said[0]
        assert "No such file or directory" in said[-1]


async def test_keys_that_are_not_what_they_were_are_told_by_their_number_alone(scene: Scene, tmp_path: Path) -> None:
    bad = Report("a scratch store", 0.1, Drilled(7, ("their/secret", "b"), ("c",), ()))
    async with node(scene, "a", tmp_path / "backup", leads=True, finds=bad) as one:
        newest = await one.take("2026-05-10T02:00")
        await one.look(SUNDAY)
        (told,) = one.failures
        assert told.why == "restored, it is not what it was: 2 keys missing, 1 key different"
        assert (told.where, told.last) == (str(one.folder.path / newest), None)
        assert "secret" not in str(told)
        assert one.dates is None


async def test_without_a_snapshot_there_is_nothing_to_drill_until_it_is_late(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look(SUNDAY)
        assert (one.drills.standing().trouble, one.failures) == (None, [])
        await one.look("2026-05-10T06:01")
        assert one.drills.standing().late
        assert [(each.what, each.cause) for each in one.failures] == [("drill", "late")]


async def test_a_clock_that_was_ahead_at_the_start_keeps_no_drill_from_being_late(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.look("2036-05-10T04:00")
        await one.look("2026-05-10T04:00")
        await one.look("2026-05-10T06:01")
        assert [(each.cause, each.date) for each in one.failures] == [("late", "2026-05-10")]


async def test_a_note_that_is_damaged_costs_a_drill_and_nothing_else(scene: Scene, tmp_path: Path) -> None:
    async with node(scene, "a", tmp_path / "backup", leads=True) as one:
        await one.take("2026-05-10T02:00")
        await one.look(SUNDAY)
        (one.folder.path / ".syncd-drill").write_bytes(b"{ no note }")
        await one.look("2026-05-10T04:01")
        await one.look("2026-05-10T04:02")
        assert len(one.made) == 2
        assert [each.name for each in one.folder.snapshots()] == [one.made[0]]
