"""The control record and people's orders: written, read back, refused where they cannot be understood."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import control, record
from syncd.core.control import APPROVAL_SECONDS, Approval, Control, Pause
from syncd.core.desired import Commit
from syncd.core.errors import RecordError
from syncd.core.mark import mark_of
from syncd.core.record import FORMAT, MAX_MANIFEST_BYTES, Applied, Applying, Record, applied_of

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.integers(0, 2**53)
manifests = st.none() | st.dictionaries(text, st.sampled_from(["create", "delete"]))
applieds = st.builds(
    Applied, text, text, text, text, numbers, numbers, text, st.none() | text, manifests, st.booleans()
)
applyings = st.builds(Applying, text, numbers, st.none() | text, st.lists(text).map(tuple), st.booleans())
records = st.builds(
    Record,
    st.just(FORMAT),
    text,
    text,
    numbers,
    text,
    st.none() | applieds,
    st.none() | applyings,
    st.booleans(),
    text,
)
seconds = st.integers(0, 253_402_300_799)
controls = st.builds(
    Control,
    st.just(control.FORMAT),
    st.none() | st.builds(Approval, text, text, seconds),
    st.none() | st.builds(Pause, text, seconds, text),
)
DAMAGED = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"format":"1"}',
    b'{"format":1.5}',
    b'{"format":1,"source":"\xff","pause":{"author":"\xff","since":1}}',
    b'{"format":1,"applied":5,"approval":5}',
    b'{"format":1,"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b"\x00\xff",
]


@given(records)
def test_decode_inverts_encode(given_record: Record) -> None:
    assert record.decode(record.encode(given_record)) == given_record


def test_a_record_always_says_whether_something_is_being_applied() -> None:
    """Readers of the KV look for exactly this: a revision is whole where it is null."""
    whole = Record(FORMAT, "config", "line", mark_of("config"), "epoch")
    assert msgspec.json.decode(record.encode(whole))["applying"] is None


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_record_is_refused_with_a_way_out(damaged: bytes) -> None:
    with pytest.raises(RecordError, match=r"the control record is damaged: .* \(somebody overwrote it; delete"):
        record.decode(damaged)


def test_a_record_that_lacks_a_field_is_damaged() -> None:
    with pytest.raises(RecordError, match=r"damaged: .*source"):
        record.decode(b'{"format":1}')


@pytest.mark.parametrize("format_", [0, 2, 10**20])
def test_a_record_of_another_format_is_refused(format_: int) -> None:
    with pytest.raises(RecordError, match=rf"has format {format_}, this syncd knows 1 \(upgrade"):
        record.decode(msgspec.json.encode({"format": str(format_)}).replace(b'"%d"' % format_, b"%d" % format_))


def test_a_newer_record_may_say_more_within_the_same_format() -> None:
    known = Record(FORMAT, "config", "line", 1, "epoch")
    more: dict[str, Any] = {**msgspec.to_builtins(known), "later": True}
    assert record.decode(msgspec.json.encode(more)) == known


def revision(manifest: dict[str, str] | None, *, message: str = "", author: str = "", ref: str = "") -> Applied:
    commit = Commit("b" * 40, ref, author, message, 5, worktree=True)
    return applied_of(commit, keys=3, digest="00", previous=None, manifest=manifest)


def test_the_revision_says_what_the_commit_says() -> None:
    assert revision({"k": "create"}, message="Why", author="Ana", ref="refs/heads/main") == Applied(
        "b" * 40, "refs/heads/main", "Ana", "Why", 5, 3, "00", None, {"k": "create"}, worktree=True
    )


def test_a_manifest_of_more_than_32_kb_is_left_out() -> None:
    frame = len(msgspec.json.encode({"": "x"}))
    fits = {"k" * (MAX_MANIFEST_BYTES - frame): "x"}
    assert revision(fits).manifest == fits
    assert revision({"k" * (MAX_MANIFEST_BYTES - frame + 1): "x"}).manifest is None
    assert revision({f"key/{number}": "create" for number in range(100_000)}).manifest is None
    assert revision(None).manifest is None
    assert revision({}).manifest == {}


def test_the_record_stays_small_whatever_a_commit_says() -> None:
    found = revision(None, message="m" * 10**6, author="a" * 10**6, ref="r" * 10**6)
    assert (len(found.message), len(found.author), len(found.ref)) == (500, 200, 200)


@given(controls)
def test_orders_survive_the_way(orders: Control) -> None:
    assert control.decode(control.encode(orders)) == orders


def test_orders_always_state_their_format() -> None:
    assert msgspec.json.decode(control.encode(Control())) == {"format": 1}


def test_no_key_means_no_orders() -> None:
    assert control.decode(None) == Control()


@pytest.mark.parametrize("damaged", DAMAGED)
def test_orders_that_cannot_be_read_are_not_taken_for_none(damaged: bytes) -> None:
    with pytest.raises(RecordError, match=r"the orders at .syncd/control are damaged: .*nothing is written while"):
        control.decode(damaged)


def test_orders_of_another_format_are_refused() -> None:
    with pytest.raises(RecordError, match="have format 2, this syncd knows 1"):
        control.decode(b'{"format":2,"approval":"of another shape"}')


def test_an_approval_stands_until_it_expires() -> None:
    orders = Control(approval=Approval("cafe", "Ana", 1000 + APPROVAL_SECONDS))
    assert orders.approves(1000) == "cafe"
    assert orders.approves(1000 + APPROVAL_SECONDS) == "cafe"
    assert orders.approves(1001 + APPROVAL_SECONDS) is None
    assert Control().approves(0) is None


@pytest.mark.parametrize("seconds", [-1, 253_402_300_800, 2**62])
@pytest.mark.parametrize(
    "order", ['"pause":{"author":"Ana","since":%d}', '"approval":{"hash":"cafe","author":"Ana","expires":%d}']
)
def test_an_order_at_a_time_that_no_calendar_shows_is_damaged(order: str, seconds: int) -> None:
    with pytest.raises(RecordError, match="damaged"):
        control.decode(f'{{"format":1,{order % seconds}}}'.encode())
