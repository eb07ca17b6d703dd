"""A plan as transactions: order, limits, the fence in front of each, and the exact JSON."""

import json
from base64 import b64decode, b64encode
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import keys
from syncd.core.change import Change, Operation
from syncd.core.live import Entry
from syncd.core.transaction import MAX_BODY_BYTES, MAX_CHANGES, Batch, Fence, Large, batches, in_one, record_batch
from tests.support.planning import OURS, SOURCE, have, want

FENCE: Final = Fence(SOURCE, "config/mordomo", "b2c3-session")
SESSION: Final = {"KV": {"Verb": "check-session", "Key": "config/mordomo/.syncd/lease", "Session": "b2c3-session"}}
CHECK: Final = {"KV": {"Verb": "check-index", "Key": "config/mordomo/.syncd/revision", "Index": 77}}
LARGEST: Final = 393_015
"""The largest value that one transaction with this fence holds."""


def create(key: str, value: bytes = b"v") -> Change:
    return Change(Operation.CREATE, key, None, want(value.decode()))


def update(key: str, size: int) -> Change:
    return Change(Operation.UPDATE, key, have("old"), want("x" * size))


def delete(key: str, size: int = 1) -> Change:
    return Change(Operation.DELETE, key, have("x" * size, index=5), None)


def read(batch: Batch | None) -> list[dict[str, Any]]:
    assert batch is not None
    operations = json.loads(batch.body)
    assert isinstance(operations, list)
    return operations


def reference(change: Change, prefix: str = FENCE.prefix) -> dict[str, Any]:
    """Encode a change the slow way."""
    key = f"{prefix}/{change.key}" if prefix else change.key
    if change.operation is Operation.DELETE:
        return {"KV": {"Verb": "delete-cas", "Key": key, "Index": change.index}}
    flags = 0 if change.operation is Operation.RELEASE else OURS
    value = b64encode(change.value).decode()
    said = {"Verb": "cas", "Key": key, "Value": value, "Flags": flags, "Index": change.index}
    return {"KV": {name: each for name, each in said.items() if each != 0}}


# promise 2
def test_a_batch_proves_lease_and_record_before_it_writes() -> None:
    (batch,) = batches(FENCE, 77, [create("brain/model", b"qwen2.5:3b"), delete("brain/old")])
    assert isinstance(batch, Batch)
    assert read(batch) == [
        SESSION,
        CHECK,
        {
            "KV": {
                "Verb": "cas",
                "Key": "config/mordomo/brain/model",
                "Value": "cXdlbjIuNTozYg==",
                "Flags": OURS,
            }
        },
        {"KV": {"Verb": "delete-cas", "Key": "config/mordomo/brain/old", "Index": 5}},
    ]


# promise 7
def test_a_small_plan_lands_together_with_its_record() -> None:
    changes = tuple(create(f"k{number}") for number in range(MAX_CHANGES))
    operations = read(in_one(FENCE, b'{"format":1}', 77, changes))
    record = {
        "KV": {
            "Verb": "cas",
            "Key": "config/mordomo/.syncd/revision",
            "Value": b64encode(b'{"format":1}').decode(),
            "Index": 77,
        }
    }
    assert operations[:2] == [SESSION, record]
    assert operations[2:] == [reference(change) for change in changes]
    assert len(operations) == 64


# promise 7
def test_a_plan_of_63_changes_does_not_go_in_one() -> None:
    assert in_one(FENCE, b"{}", 77, tuple(create(f"k{number}") for number in range(MAX_CHANGES + 1))) is None


def test_a_plan_over_the_body_limit_does_not_go_in_one() -> None:
    assert in_one(FENCE, b"{}", 77, (update("a", 200_000), update("b", 200_000))) is None
    assert in_one(FENCE, b"{}", 77, (update("a", 300_000), update("b", 300_000))) is None


def test_deletes_go_in_one_however_large_what_they_delete_is() -> None:
    changes = tuple(delete(f"k{number}", 100_000) for number in range(MAX_CHANGES))
    assert in_one(FENCE, b"{}", 77, changes) is not None


def test_a_record_goes_alone_too() -> None:
    assert read(record_batch(FENCE, b"{}", 0)) == [
        SESSION,
        {"KV": {"Verb": "cas", "Key": "config/mordomo/.syncd/revision", "Value": "e30="}},
    ]
    assert record_batch(FENCE, b"{}", 0).changes == ()


def test_no_changes_need_no_batch() -> None:
    assert list(batches(FENCE, 77, [])) == []


def test_a_value_goes_by_itself_exactly_where_no_transaction_holds_it() -> None:
    (fits,) = batches(FENCE, 77, [update("k", LARGEST)])
    assert isinstance(fits, Batch)
    assert MAX_BODY_BYTES - 4 < len(fits.body) <= MAX_BODY_BYTES
    (large,) = batches(FENCE, 77, [update("k", LARGEST + 1)])
    assert isinstance(large, Large)
    assert large.flags == OURS


def test_what_is_too_much_for_one_transaction_goes_on_in_the_next() -> None:
    many = [create(f"k{number}") for number in range(MAX_CHANGES + 1)]
    assert [batch.changes for batch in batches(FENCE, 77, many) if isinstance(batch, Batch)] == [
        tuple(many[:-1]),
        tuple(many[-1:]),
    ]
    two = [update("a", 300_000), update("b", 300_000)]
    assert [batch.changes for batch in batches(FENCE, 77, two) if isinstance(batch, Batch)] == [(two[0],), (two[1],)]


def test_a_large_release_clears_the_mark() -> None:
    change = Change(Operation.RELEASE, "k", Entry(b"x" * 400_000, OURS, 3), None)
    assert list(batches(FENCE, 77, [change])) == [Large(change, 0)]


def test_a_large_value_does_not_cut_the_batch_around_it() -> None:
    small, large, other = create("a"), update("b", 400_000), create("c")
    found = list(batches(FENCE, 77, [small, large, other]))
    assert [type(item) for item in found] == [Large, Batch]
    assert isinstance(found[1], Batch)
    assert found[1].changes == (small, other)


def test_at_the_root_keys_have_no_prefix() -> None:
    (batch,) = batches(Fence(SOURCE, "", "s"), 77, [create("k")])
    assert isinstance(batch, Batch)
    assert [operation["KV"]["Key"] for operation in read(batch)] == [".syncd/lease", ".syncd/revision", "k"]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
contents = st.binary(max_size=40)
sizes = st.sampled_from([0, 1, 50_000, 130_000, 200_000, 393_000, 393_100, 524_288])
befores = st.builds(Entry, contents, st.just(OURS), st.integers(1, 2**63))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    operation, key = draw(st.sampled_from(Operation)), draw(names)
    before = None if operation is Operation.CREATE else draw(befores)
    if operation in (Operation.DELETE, Operation.RELEASE):
        return Change(operation, key, before, None)
    return Change(operation, key, before, want(draw(st.text(max_size=20)) + "x" * draw(sizes)))


plans = st.lists(changes(), max_size=8) | st.builds(
    lambda many, size: [Change(Operation.CREATE, f"k{n}", None, want("x" * size)) for n in range(many)],
    st.integers(0, 200),
    st.sampled_from([0, 100, 6_300]),
)


# promise 2
@given(plans)
def test_every_change_goes_once_in_order_within_the_limits_behind_the_fence(plan: list[Change]) -> None:
    found = list(batches(FENCE, 77, plan))
    held = [change for item in found if isinstance(item, Batch) for change in item.changes]
    large = [item.change for item in found if isinstance(item, Large)]
    assert sorted(map(id, held + large)) == sorted(map(id, plan))
    assert held == [change for change in plan if change not in large]
    for item in found:
        if isinstance(item, Batch):
            assert len(item.body) <= MAX_BODY_BYTES
            operations = read(item)
            assert len(operations) <= 64
            assert operations[:2] == [SESSION, CHECK]
            assert operations[2:] == [reference(change) for change in item.changes]
        else:
            alone = json.dumps([SESSION, CHECK, reference(item.change)], separators=(",", ":"), ensure_ascii=False)
            assert len(alone.encode()) > MAX_BODY_BYTES


@given(plans)
def test_a_plan_goes_in_one_exactly_where_it_fits(plan: list[Change]) -> None:
    whole = in_one(FENCE, b"{}", 77, tuple(plan))
    text = json.dumps([SESSION, read(record_batch(FENCE, b"{}", 77))[1], *map(reference, plan)], separators=(",", ":"))
    fits = len(plan) <= MAX_CHANGES and len(record_batch(FENCE, b"{}", 77, plan).body) <= MAX_BODY_BYTES
    assert (whole is not None) == fits
    if whole is not None:
        assert read(whole) == json.loads(text)
        assert whole.changes == tuple(plan)


@pytest.mark.parametrize("key", ['say "hi"', "back\\slash", "tab\there", "é/日本/😀", "\x00\x1f", "</script>", "a b"])
def test_any_key_is_quoted_rightly(key: str) -> None:
    (batch,) = batches(FENCE, 77, [create(key)])
    assert isinstance(batch, Batch)
    assert read(batch)[2]["KV"]["Key"] == keys.join(FENCE.prefix, key)


@given(contents)
def test_any_bytes_survive_the_way(value: bytes) -> None:
    change = Change(Operation.RELEASE, "k", Entry(value, OURS, 1), None)
    (batch,) = batches(FENCE, 77, [change])
    assert isinstance(batch, Batch)
    assert b64decode(read(batch)[2]["KV"]["Value"]) == value
