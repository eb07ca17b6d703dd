"""A scheduled snapshot that really fails: one signed event for who asked, whatever is tried again and restarted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.consul import ConsulAgent, consul_binary
from tests.support.hook import Hook, hook
from tests.support.machine import Kv, Machine
from tests.support.repository import Repository


@pytest.fixture
def pager() -> Iterator[Hook]:
    """Somebody who wants to know of snapshots that fail."""
    with hook() as made:
        yield made


@pytest.fixture
def there() -> Iterator[Hook]:
    """Somebody who works keys."""
    with hook() as made:
        yield made


# promise 22
def test_a_snapshot_that_cannot_be_written_is_told_once_to_who_asked_for_it(
    machine: Machine, pager: Hook, there: Hook
) -> None:
    blocked = machine.home / "no-folder"
    blocked.write_text("a file stands where the directory should be")
    directory = blocked / "backup"
    tables = [
        f'[snapshots]\ndirectory = "{directory}"\nschedule = "@daily"\n',
        pager.subscriber("pager", machine.home, 'about = "snapshots"'),
        there.subscriber("keys", machine.home),
    ]
    (machine.repository.folder / "syncd.toml").write_text("\n".join(tables))
    with machine.run() as daemon:
        pager.wait_for_tries(1)
        assert daemon.stop() == 0
    with machine.run() as daemon:
        daemon.wait_for_output("the scheduled snapshot failed")
        there.wait_for_tries(1)
        machine.repository.commit({"brain.yaml": "model: llama3.2:3b\n"})
        there.wait_for_tries(2)
        blocked.unlink()
        assert daemon.stop() == 0
    with machine.run() as daemon:
        daemon.wait_for_output("took a snapshot")
        assert daemon.stop() == 0
    (got,) = pager.tries
    assert (got.kind, got.status) == ("snapshot.failed", 204)
    (failure,) = got.body["data"]["failures"]
    assert (failure["what"], failure["cause"], failure["where"]) == ("snapshot", "failed", str(directory))
    assert "Not a directory" in failure["why"]
    assert "owner, mode and free space" in failure["hint"]
    assert "last" not in failure, "there never was one"
    assert [each.kind for each in there.tries] == ["state.reset", "revision.applied"]


def test_a_stream_about_snapshots_is_told_what_it_missed(local: Machine) -> None:
    blocked = local.home / "no-folder"
    blocked.write_text("a file stands where the directory should be")
    settings = f'[snapshots]\ndirectory = "{blocked / "backup"}"\nschedule = "@daily"\n'
    (local.repository.folder / "syncd.toml").write_text(settings)
    with local.run() as daemon:
        daemon.wait_for_output("the scheduled snapshot failed")
        with local.api.follow("full=true") as keys:
            keys.next()
        epoch, index, journal = keys.id.split("-")[:3]
        with local.api.follow("about=snapshots", last=f"{epoch}-{index}-{journal}-0") as following:
            told = following.next()
        assert told.type == "syncd.snapshot.failed.v1"
        assert [each["cause"] for each in told.event["data"]["failures"]] == ["failed"]
        refused = local.api.get("/api/v1/events?about=snapshots&prefix=brain/")
        assert (refused.status, refused.error["where"]) == (400, "?about=")
        assert local.api.get("/api/v1/events?about=news").status == 400


def settings_with_drills(machine: Machine, *tables: str) -> None:
    own = f'[snapshots]\ndirectory = "{machine.home / "kept"}"\nschedule = "@daily"\ndrill = "@weekly"\n'
    (machine.repository.folder / "syncd.toml").write_text("\n".join([own, *tables]))


def without_consul() -> str:
    return ":".join(each for each in os.environ["PATH"].split(":") if not Path(each, "consul").exists())


# promise 23
def test_a_drill_that_passes_is_shown_by_status_and_metrics(machine: Machine) -> None:
    settings_with_drills(machine)
    with machine.run(PATH=f"{Path(consul_binary()).parent}:{without_consul()}") as daemon:
        daemon.wait_for_output("a drill passed")
        drills = machine.api.get("/api/v1/status").json["drills"]
        assert (drills["schedule"], drills["trouble"], drills["last"] > 0) == ("@weekly", None, True)
        assert "the last passed" in machine.cli("status").stdout
        metrics = machine.api.get("/metrics").body.decode()
        assert "syncd_drill_failing 0.0" in metrics
        assert "syncd_drill_late 0.0" in metrics
        assert daemon.stop() == 0


# promise 23
@pytest.mark.consul
def test_a_drill_that_fails_is_told_once_and_shown(consul: ConsulAgent, repository: Repository, tmp_path: Path) -> None:
    machine = Machine(repository, tmp_path / "home", Kv(consul.address, f"test/{tmp_path.name}"))
    machine.home.mkdir()
    with hook() as pager:
        settings_with_drills(machine, pager.subscriber("pager", machine.home, 'about = "snapshots"'))
        for _ in range(2):
            with machine.run(PATH=without_consul()) as daemon:
                daemon.wait_for_output("the scheduled drill failed")
                pager.wait_for_tries(1)
                assert "syncd_drill_failing 1.0" in machine.api.get("/metrics").body.decode()
                assert "no consul on PATH" in machine.cli("status").stdout
                assert daemon.stop() == 0
        (failure,) = [each for got in pager.tries for each in got.body["data"]["failures"]]
        assert (failure["what"], failure["cause"]) == ("drill", "failed")
