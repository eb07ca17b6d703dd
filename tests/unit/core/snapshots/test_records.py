"""Records in ``state.bin``."""

from itertools import chain
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import Damaged
from syncd.core.snapshots.kinds import KV
from syncd.core.snapshots.records import MAX_RECORD_BYTES, Entry, Record, Records, entry_of, key_of
from tests.support.snapshots import kv, register, state

SOME: Final = (
    kv("a/b", b"\xff\x00", Flags=3, Session="s-1"),
    register(),
    kv(b"\xff", b""),
    (29, {7: [1]}),
    (42, "raw"),
)


def read(content: bytes, step: int = 1 << 20) -> list[Record]:
    records = Records()
    found = [each for start in range(0, len(content), step) for each in records.feed(content[start : start + step])]
    records.finish()
    return found


@given(st.integers(1, 80))
def test_records_come_whole_from_pieces_of_any_size(step: int) -> None:
    found = read(state(SOME), step)
    assert [each.kind for each in found] == [2, 0, 2, 29, 42]
    assert sum(each.size for each in found) == len(state(SOME)) - len(state([]))
    assert entry_of(found[0]) == Entry("a/b", b"\xff\x00", 3, 5, 7, "s-1")
    assert entry_of(found[2]) == Entry("\udcff", b"", 0, 5, 7, "")
    assert found[3].value == {7: (1,)}


def test_a_state_that_ends_inside_a_record_is_refused_wherever_it_ends() -> None:
    content = state(SOME)
    ends = {len(state(SOME[:number])) for number in range(len(SOME) + 1)}
    for length in range(len(content)):
        if length not in ends:
            with pytest.raises(Damaged, match="ends in the middle of a record"):
                read(content[:length])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends in the middle"),
        (state([], header=[1]), "does not begin with Consul's header"),
        (state([], header={"LastIndex": "x"}), "does not begin with Consul's header"),
        (b"\xc1", "cannot be read behind byte 0"),
        (state([]) + b"\x02\xc1", "cannot be read behind byte 14"),
        (state([]) + b"\x02\x81\x80\x01", "unhashable type"),
        (state([]) + b"\x02" + b"\x91" * 5000, "cannot be read"),
        (state([]) + b"\x02\xc7\x03\xff123", "cannot be read"),
        (state([]) + b"\x02\xdf\xff\xff\xff\xff", "cannot be read"),
    ],
)
def test_what_is_no_state_is_refused_with_the_place(content: bytes, said: str) -> None:
    with pytest.raises(Damaged, match=said):
        read(content)


def test_a_record_that_would_take_all_memory_is_refused() -> None:
    records, piece = Records(), bytes(1 << 22)
    list(records.feed(state([]) + b"\x02\xdb\xff\xff\xff\xff"))  # a text of 4 GiB
    for _ in range(MAX_RECORD_BYTES // len(piece) - 1):
        assert list(records.feed(piece)) == []
    with pytest.raises(Damaged, match="BufferFull"):
        list(chain(records.feed(piece), records.feed(piece)))


@pytest.mark.parametrize("value", [[1], {"Value": b"x"}, {"Key": 3}])
def test_a_key_without_a_name_is_refused(value: object) -> None:
    (record,) = read(state([(KV, value)]))
    with pytest.raises(Damaged):
        key_of(record)


@pytest.mark.parametrize("field", [{"Flags": "many"}, {"Value": 3}, {"Session": 7}])
def test_a_key_with_a_field_of_another_type_is_refused(field: dict[str, object]) -> None:
    (record,) = read(state([(KV, {"Key": "a", **field})]))
    with pytest.raises(Damaged, match="cannot be read"):
        entry_of(record)


MIXED: Final = [kv(f"app/{number}", bytes([number]) * number) for number in range(60)] + [register(), (29, {})]


@given(st.sampled_from([b"app/7", b"app/59", b"Node", b"nowhere", b"CreateIndex"]), st.integers(1, 3000))
def test_of_keys_only_those_that_are_wanted_are_given_and_all_are_counted(wanted: bytes, step: int) -> None:
    content = state(MIXED)
    every, some = Records(), Records(wanted)
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    all_records = [each for piece in pieces for each in every.feed(piece)]
    found = [each for piece in pieces for each in some.feed(piece)]
    assert found == [each for each in all_records if each.kind != KV or wanted in state([(KV, each.value)])]
    assert some.kinds == every.kinds
    some.finish()


def test_fields_that_an_older_consul_did_not_write_are_empty() -> None:
    (record,) = read(state([(KV, {"Key": "a"})]))
    assert entry_of(record) == Entry("a", b"")
