"""What holds for every plan, whatever git, store and history hold."""

from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.change import Operation, is_claimed
from syncd.core.desired import BaseKey, DesiredKey
from syncd.core.live import Entry
from syncd.core.mark import LOCK_FLAGS
from syncd.core.plan import Plan
from syncd.core.record import Record
from tests.support.planning import OURS, THEIRS, based, desired, have, plan, record, want, written

KEYS: Final = [*"abcdefgh", "kept/x", "ignored/x"]
keys = st.sampled_from(KEYS)
values = st.sampled_from(["1", "2", "3"])
wanted_keys = st.dictionaries(keys, st.builds(want, values, drift=st.sampled_from(["enforce", "report"])))
flags = st.sampled_from([OURS, OURS, 0, 42, THEIRS, LOCK_FLAGS])
entries = st.builds(have, values, flags, index=st.integers(1, 9), session=st.sampled_from(["", "", "", "s"]))
lives = st.dictionaries(keys, entries)
bases = st.none() | st.dictionaries(keys, st.builds(based, values))
histories = st.tuples(st.none(), st.sampled_from([None, record(applied=None)])) | st.tuples(
    bases, st.sampled_from([record(), record(rebuilt=True)])
)
"""Base and record: only an applied revision has a base."""
situations = st.builds(lambda wanted, live, history: (wanted, live, *history), wanted_keys, lives, histories)

Given = tuple[dict[str, DesiredKey], dict[str, Entry], dict[str, BaseKey] | None, Record | None]


def drawn(given: Given) -> Plan:
    wanted, live, base, stands = given
    return plan(wanted, live, base, record=stands)


def applied(found: Plan) -> Record:
    return record(rebuilt=found.rebuilt)


# promise 9
@given(situations)
def test_after_its_changes_nothing_is_left_to_do(given: Given) -> None:
    wanted, live, base, _ = given
    first = drawn(given)
    again = plan(wanted, written(live, first.changes), base, record=applied(first))
    assert again.changes == ()


@given(situations)
def test_the_next_commit_with_the_same_keys_changes_nothing(given: Given) -> None:
    """Once applied, the base is what git said; only drift that the tree wants reported may still differ."""
    wanted, live, _, _ = given
    first = drawn(given)
    again = plan(wanted, written(live, first.changes), wanted, record=applied(first))
    assert again.changes == ()
    assert again.rebuilt == first.rebuilt


@given(situations)
def test_an_approved_plan_leaves_nothing_to_approve(given: Given) -> None:
    wanted, live, _, _ = given
    first = drawn(given)
    approved = first.approve(first.hash)
    assert (approved.withheld, approved.refusals) == ((), ())
    again = plan(wanted, written(live, approved.changes), wanted, record=applied(approved))
    assert (again.changes, again.withheld, again.rebuilt) == ((), (), False)
    assert {refusal.guard for refusal in again.refusals} <= {"empty"}


@given(wanted_keys, st.booleans())
def test_equal_sides_need_no_plan(wanted: dict[str, DesiredKey], known: bool) -> None:
    live = {key: Entry(value.value, OURS, 1) for key, value in wanted.items()}
    found = plan(wanted, live, wanted if known else None, record=record())
    assert (found.changes, found.withheld, found.left, found.refusals) == ((), (), (), ())


@given(situations, st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(given: Given, random: object) -> None:
    def shuffled(source: dict[str, object]) -> dict[str, object]:
        items = list(source.items())
        random.shuffle(items)  # type: ignore[attr-defined]  # hypothesis types its Random as an object
        return dict(items)

    wanted, live, base, stands = given
    other = plan(shuffled(wanted), shuffled(live), base and shuffled(base), record=stands)  # type: ignore[arg-type]
    assert other == drawn(given)
    assert other.hash == drawn(given).hash


# promise 1
@given(situations)
def test_what_is_neither_marked_nor_in_base_is_never_deleted_nor_released(given: Given) -> None:
    _, live, base, _ = given
    found = drawn(given)
    for change in (*found.changes, *(change for change, _ in found.withheld)):
        if change.operation in (Operation.DELETE, Operation.RELEASE):
            assert live[change.key].flags == OURS or (base is not None and change.key in base)


@given(situations)
def test_what_somebody_else_claims_is_never_touched_without_a_conflict(given: Given) -> None:
    found = drawn(given)
    touched = [change for change in found.changes if change.before and is_claimed(change.before, OURS)]
    assert bool(touched) == any(refusal.guard == "conflict" for refusal in found.refusals)


@given(situations)
def test_an_orphan_is_never_deleted_unasked(given: Given) -> None:
    for change in drawn(given).changes:
        if change.operation is Operation.DELETE:
            assert change.before is not None
            assert change.before.flags == OURS


@given(situations)
def test_without_an_applied_revision_nothing_is_deleted_unasked(given: Given) -> None:
    wanted, live, _, _ = given
    for stands in (None, record(applied=None)):
        found = plan(wanted, live, None, record=stands)
        deletes = [change for change in found.changes if change.operation is Operation.DELETE]
        assert not deletes or any(refusal.guard == "conflict" for refusal in found.refusals)


# promise 1
@given(situations)
def test_every_change_sees_what_stands_there(given: Given) -> None:
    wanted, live, _, _ = given
    found = drawn(given)
    for change in (*found.changes, *(change for change, _ in found.withheld)):
        assert change.before is live.get(change.key)
        assert change.wanted is wanted.get(change.key)
    named = [change.key for change in found.changes] + [change.key for change, _ in found.withheld]
    assert len(named) == len(set(named))


@given(wanted_keys, wanted_keys, st.integers(1, 9))
def test_looking_only_at_what_changed_finds_the_same(
    old: dict[str, DesiredKey], new: dict[str, DesiredKey], index: int
) -> None:
    live = {key: Entry(value.value, OURS, index) for key, value in old.items()}
    changed = frozenset(key for key in {*old, *new} if key not in old or key not in new or old[key] != new[key])
    whole = plan(new, live, old, record=record())
    some = plan(new, live, old, record=record(), only=changed)
    assert some == msgspec.structs.replace(whole, partial=True)
    assert some.hash == whole.hash


@given(situations, st.sets(keys))
def test_a_plan_for_some_keys_is_that_part_of_the_whole(given: Given, some: set[str]) -> None:
    wanted, live, base, stands = given
    part = plan(wanted, live, base, record=stands, only=frozenset(some))
    whole = drawn(given)
    assert part.changes == tuple(change for change in whole.changes if change.key in some)
    assert part.withheld == tuple(pair for pair in whole.withheld if pair[0].key in some)
    assert part.left == tuple(left for left in whole.left if left.key in some)


@given(situations)
def test_approving_keeps_the_name_and_any_other_hash_does_nothing(given: Given) -> None:
    found = drawn(given)
    assert found.approve(found.hash).hash == found.hash
    assert found.approve("0" * 16) is found


@given(wanted_keys)
def test_the_digest_is_that_of_the_tree(wanted: dict[str, DesiredKey]) -> None:
    assert plan(wanted, {}, record=record()).digest == desired(wanted).digest
