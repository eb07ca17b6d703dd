"""A snapshot that is made ready to be put back is the same but for the pause and the epoch."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.core import control, record
from syncd.core.control import Approval, Control, Pause
from syncd.core.errors import Damaged
from syncd.core.snapshots.records import Entry
from syncd.snapshots import reading
from syncd.snapshots.restoring import prepare
from tests.support.snapshots import INDEX, kv, register, snapshot
from tests.support.snapshots import control as revision

PAUSE = Pause("Ana", 5, "restored")
BIG = kv("app/big", bytes(range(256)) * 3_000)


def prepared(tmp_path: Path, *records: tuple[int, object], prefix: str = "app") -> tuple[dict[str, Entry], Path]:
    before, after = tmp_path / "before.snap", tmp_path / "after.snap"
    before.write_bytes(snapshot(*records))
    made = prepare(before, prefix, PAUSE, "new-epoch")
    after.write_bytes(b"".join(made))
    assert b"".join(made) == after.read_bytes(), "it can be sent twice"
    found = reading.verify(after, prefix)
    assert found.contents.index == reading.verify(before, prefix).contents.index
    return {entry.key: entry for entry in reading.entries(after)}, before


def test_the_pause_is_put_in_where_there_were_no_orders(tmp_path: Path) -> None:
    found, before = prepared(tmp_path, register(), kv("app/a"), BIG, kv("z"))
    ordered = found.pop("app/.syncd/control")
    assert control.decode(ordered.value) == Control(pause=PAUSE)
    assert (ordered.create_index, ordered.modify_index) == (INDEX, INDEX)
    assert list(found.values()) == reading.entries(before)


@pytest.mark.parametrize("order", [list, reversed], ids=["control-first", "record-first"])
def test_orders_and_epoch_of_then_are_replaced_wherever_they_stand(
    tmp_path: Path, order: Callable[[list[tuple[int, object]]], list[tuple[int, object]]]
) -> None:
    standing = Control(approval=Approval("hash", "Bea", 9), pause=Pause("Bea", 1, "then"))
    records = [
        kv("app/.syncd/control", control.encode(standing), Flags=9),
        BIG,
        revision("app", "c0ffee1" * 5, "badcafe" * 5),
        kv("app/a"),
    ]
    found, before = prepared(tmp_path, *order(records))
    ordered, stood = found.pop("app/.syncd/control"), found.pop("app/.syncd/revision")
    assert control.decode(ordered.value) == Control(pause=PAUSE)
    assert ordered.flags == 9
    told = record.decode(stood.value)
    assert told.epoch == told.stamp == "new-epoch"
    assert told.applied
    assert told.applied.commit == "c0ffee1" * 5
    assert told.applying
    assert [each for each in reading.entries(before) if "/.syncd/" not in each.key] == list(found.values())


def test_what_cannot_be_read_is_paused_too_and_a_broken_record_stays(tmp_path: Path) -> None:
    found, _ = prepared(tmp_path, kv("app/.syncd/control", b"{"), kv("app/.syncd/revision", b"{"))
    assert control.decode(found["app/.syncd/control"].value).pause == PAUSE
    assert found["app/.syncd/revision"].value == b"{"


def test_the_root_may_be_the_prefix_and_others_keep_their_orders(tmp_path: Path) -> None:
    found, _ = prepared(tmp_path, kv("other/.syncd/control", b"theirs"), prefix="")
    assert control.decode(found[".syncd/control"].value).pause == PAUSE
    assert found["other/.syncd/control"].value == b"theirs"


def test_a_damaged_file_is_not_prepared(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    path.write_bytes(snapshot(BIG)[:-9])
    with pytest.raises(Damaged):
        prepare(path, "app", PAUSE, "e")


def test_a_file_that_is_changed_meanwhile_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    path.write_bytes(snapshot(BIG))
    made = prepare(path, "app", PAUSE, "e")
    path.write_bytes(snapshot(BIG)[:-9])
    with pytest.raises(Damaged):
        b"".join(made)
