"""What retention deletes, and what it never does."""

from datetime import date, timedelta
from pathlib import Path
from threading import Event

from syncd.core.snapshots.retention import Policy
from syncd.snapshots.folder import Folder
from syncd.snapshots.keeping import Swept, intact, newest, sweep
from tests.unit.snapshots.conftest import Put

LAST_TWO = Policy(last=2, daily=0, weekly=0, monthly=0)


def fill(put: Put, days: int) -> list[Path]:
    start = date(2026, 1, 1)
    return [put(taken=1000 + day, day=start + timedelta(day)).path for day in range(days)]


def swept(folder: Folder, policy: Policy, newest: Path) -> Swept:
    with folder.locked():
        return sweep(folder, policy, newest)


def test_what_the_policy_does_not_keep_goes_with_its_manifest(folder: Folder, put: Put) -> None:
    paths = fill(put, 5)
    found = swept(folder, LAST_TWO, paths[-1])
    assert found == Swept(tuple(path.name for path in paths[:3]), ())
    left = {entry.name for entry in folder.path.iterdir()}
    assert left == {".syncd-lock", *(path.name for path in paths[3:]), *(f"{path.name}.json" for path in paths[3:])}


def test_promise_21_pinned_and_foreign_files_stay(folder: Folder, put: Put) -> None:
    paths = fill(put, 5)
    folder.pin(paths[0])
    foreign = folder.path / "consul-20200101-1.snap"
    foreign.write_bytes(paths[1].read_bytes())
    assert swept(folder, LAST_TWO, paths[-1]).removed == (paths[1].name, paths[2].name)
    assert paths[0].exists()
    assert foreign.exists()


def test_promise_21_a_damaged_one_is_told_counts_for_nothing_and_stays(folder: Folder, put: Put) -> None:
    paths = fill(put, 5)
    changed = bytearray(paths[3].read_bytes())
    changed[60] ^= 1
    paths[3].write_bytes(changed)
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    found = swept(folder, LAST_TWO, paths[-1])
    assert set(found.damaged) == {paths[0].name, paths[3].name}
    assert found.removed == (paths[1].name,)  # the second newest that is sound is the third
    assert paths[2].exists()
    assert paths[3].exists()


def test_promise_21_what_was_just_taken_stays_though_the_clock_was_set_back(folder: Folder, put: Put) -> None:
    paths = fill(put, 3)
    newest = put(taken=5, day=date(2025, 1, 1)).path
    assert newest.name not in swept(folder, LAST_TWO, newest).removed
    assert newest.exists()
    assert paths[-1].exists()


def test_while_all_are_wanted_none_goes(folder: Folder, put: Put) -> None:
    paths = fill(put, 2)
    assert swept(folder, LAST_TWO, paths[-1]) == Swept((), ())
    assert all(path.exists() for path in paths)


def test_a_file_that_is_gone_meanwhile_is_no_fault(folder: Folder, put: Put) -> None:
    paths = fill(put, 2)
    present = folder.snapshots()
    paths[0].unlink()
    assert [intact(each) for each in present] == [False, True]


def test_told_to_stop_it_deletes_nothing(folder: Folder, put: Put) -> None:
    paths, stop = fill(put, 5), Event()
    stop.set()
    with folder.locked():
        assert sweep(folder, LAST_TWO, paths[-1], stop) == Swept((), ())
        assert all(path.exists() for path in paths)
        stop.clear()
        assert len(sweep(folder, LAST_TWO, paths[-1], stop).removed) == 3


def test_the_newest_is_the_newest_that_is_wanted_and_sound(folder: Folder, put: Put) -> None:
    paths = fill(put, 4)
    assert newest(folder, lambda _: False) is None
    found = newest(folder, lambda manifest: manifest.date != date(2026, 1, 4))
    assert found is not None
    assert found.path == paths[2]
    changed = bytearray(paths[2].read_bytes())
    changed[60] ^= 1
    paths[2].write_bytes(changed)
    found = newest(folder, lambda manifest: manifest.date != date(2026, 1, 4))
    assert found is not None
    assert found.path == paths[1]
