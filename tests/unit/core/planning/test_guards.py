"""When a plan refuses itself, with the numbers at, below and above each limit."""

import pytest

from syncd.core import guards as texts
from syncd.core.guards import Guard, Refused, too_many_deletes
from syncd.core.history import Relation, gravest
from syncd.core.plan import Plan
from syncd.core.record import Applying, Record, commits_to_follow
from tests.support.planning import OURS, THEIRS, applied, based, have, plan, record, tree, want


def guards(plan: Plan) -> list[str]:
    return [refusal.guard.value for refusal in plan.refusals]


def without(count: int, of: int, *, marks_only: bool = False) -> Plan:
    """Plan a commit that drops ``count`` of ``of`` keys."""
    keys = {f"k{number:04}": want("v") for number in range(of)}
    gone = sorted(keys)[:count]
    base = None if marks_only else {key: based("v") for key in keys}
    wanted = {key: value for key, value in keys.items() if key not in gone}
    return plan(wanted, {key: have("v") for key in keys}, base, record=record())


# promise 6
@pytest.mark.parametrize(
    ("owned", "limit"), [(1, 10), (11, 10), (100, 10), (109, 10), (110, 11), (1_000, 100), (1_009, 100)]
)
@pytest.mark.parametrize("marks_only", [False, True])
def test_more_deletes_than_ten_and_a_tenth_need_a_person(owned: int, limit: int, marks_only: bool) -> None:
    assert not too_many_deletes(limit, owned)
    assert too_many_deletes(limit + 1, owned)
    if owned > limit + 1:
        assert guards(without(limit, owned, marks_only=marks_only)) == []
        (refusal,) = without(limit + 1, owned, marks_only=marks_only).refusals
        assert refusal.guard is Guard.MASS_DELETE
        assert refusal.message == f"{limit + 1} of {owned:,} keys would be deleted (more than {limit})"


def test_a_rename_of_many_keys_is_a_mass_delete_too() -> None:
    old = {f"old/{number}": have("v") for number in range(11)}
    new = {f"new/{number}": want("v") for number in range(11)}
    assert guards(plan(new, old, {key: based("v") for key in old}, record=record())) == ["mass-delete"]


def test_releases_are_no_deletes() -> None:
    live = {f"kept/{number}": have("v") for number in range(50)} | {"a": have("1")}
    assert guards(plan(tree(a="1"), live, {key: based("v") for key in live}, record=record())) == []


# promise 6
@pytest.mark.parametrize(
    ("owned", "refused"), [(0, []), (1, ["empty"]), (10, ["empty"]), (11, ["empty", "mass-delete"])]
)
def test_an_empty_tree_is_refused_wherever_there_are_keys(owned: int, refused: list[str]) -> None:
    assert guards(without(owned, owned)) == refused


def test_an_empty_tree_is_refused_even_where_the_store_was_emptied() -> None:
    assert guards(plan({}, {}, {"a": based("1")}, record=record())) == ["empty"]


def test_an_empty_tree_after_an_empty_tree_still_deletes_nothing_unasked() -> None:
    found = plan({}, {"stray": have("v")}, {}, record=record())
    assert guards(found) == ["empty"]
    assert found.refusals[0].message == "the tree holds no key at all, while syncd has 1 key in the store"


def test_an_empty_tree_with_a_lost_record_is_refused_and_withholds_every_delete() -> None:
    found = plan({}, {"a": have("1")}, record=None)
    assert guards(found) == ["empty"]
    assert found.changes == ()
    assert [(change.key, why) for change, why in found.withheld] == [("a", "unproved")]


def test_foreign_keys_alone_do_not_make_an_empty_tree_suspicious() -> None:
    assert guards(plan({}, {"a": have("1", 0)}, record=None)) == []


# promise 6
@pytest.mark.parametrize(
    ("live", "refused"),
    [
        ({}, []),
        ({"a": have("new", 0)}, []),  # the same value: only the mark is set
        ({"a": have("other", 0)}, ["first-contact"]),
        ({"b": have("other", 0)}, []),  # foreign, and git does not want it
        ({"a": have("other", OURS)}, []),  # the record was lost, the mark says that the key is ours
    ],
)
@pytest.mark.parametrize("first", [None, record(applied=None)])
def test_the_first_apply_changes_no_foreign_value(
    live: dict[str, object], refused: list[str], first: Record | None
) -> None:
    assert guards(plan(tree(a="new"), live, record=first)) == refused  # type: ignore[arg-type]  # a table of entries


def test_later_applies_take_foreign_values_over() -> None:
    assert guards(plan(tree(a="new"), {"a": have("other", 0)}, {}, record=record())) == []


# promise 3
@pytest.mark.parametrize(
    ("relation", "refused"),
    [
        (Relation.SAME, []),
        (Relation.DESCENDANT, []),
        (Relation.BEHIND, ["behind"]),
        (Relation.REWRITTEN, ["rewritten"]),
        (Relation.UNKNOWN, ["unknown-history"]),
    ],
)
def test_only_what_follows_the_applied_commit_is_applied(relation: Relation, refused: list[str]) -> None:
    found = plan(tree(a="1"), {"a": have("1")}, {"a": based("1")}, record=record(), relation=relation)
    assert guards(found) == refused
    assert all("aaaaaaa" in refusal.message and "bbbbbbb" in refusal.message for refusal in found.refusals)


def test_without_a_record_no_history_is_asked_for() -> None:
    assert guards(plan(tree(a="1"), {}, record=None, relation=Relation.UNKNOWN)) == []


@pytest.mark.parametrize(
    ("record", "followed"),
    [
        (None, ()),
        (record(applied=None), ()),
        (record(), ("a" * 40,)),
        (record(applying=Applying("c" * 40, 1)), ("c" * 40, "a" * 40)),
        (record(applied=None, applying=Applying("c" * 40, 1)), ("c" * 40,)),
        (record(applying=Applying("b" * 40, 1)), ("a" * 40,)),  # the target itself is being applied
        (record(applied=None, applying=Applying("b" * 40, 1)), ()),
        (record(applied=applied("b" * 40)), ("b" * 40,)),
    ],
)
def test_a_commit_must_follow_the_applied_one_and_the_one_begun(
    record: Record | None, followed: tuple[str, ...]
) -> None:
    assert commits_to_follow(record, "b" * 40) == followed


@pytest.mark.parametrize(
    ("relations", "sum_"),
    [
        ([], Relation.SAME),
        ([Relation.SAME, Relation.DESCENDANT], Relation.DESCENDANT),
        ([Relation.REWRITTEN, Relation.BEHIND], Relation.BEHIND),
        ([Relation.UNKNOWN, Relation.BEHIND], Relation.BEHIND),
        ([Relation.UNKNOWN, Relation.REWRITTEN], Relation.UNKNOWN),
        ([Relation.DESCENDANT, Relation.REWRITTEN], Relation.REWRITTEN),
    ],
)
def test_the_gravest_relation_counts(relations: list[Relation], sum_: Relation) -> None:
    assert gravest(relations) is sum_


@pytest.mark.parametrize(
    ("stands", "remembered", "refused"),
    [
        (record(), None, []),
        (record(), "line", []),
        (record(), "another", ["other-lineage"]),
        (record(source="billing"), "line", ["other-lineage"]),
        (None, "line", []),
    ],
)
def test_another_history_in_the_store_is_refused(
    stands: Record | None, remembered: str | None, refused: list[str]
) -> None:
    assert guards(plan(tree(a="1"), {}, {}, record=stands, lineage=remembered)) == refused


def test_conflicts_name_the_first_five_keys() -> None:
    wanted = {f"k{number}": want("v") for number in range(7)}
    live = {key: have("v", THEIRS) for key in wanted}
    (refusal,) = plan(wanted, live, {}, record=record()).refusals
    assert refusal.message == (
        "7 keys belong to another source, a session or consul lock: k0, k1, k2, k3, k4 and 2 more"
    )


def test_a_refusal_says_what_to_do_and_names_the_plan() -> None:
    found = without(11, 20)
    with pytest.raises(Refused, match=f"look at the plan, .*--approve {found.hash}") as raised:
        found.demand()
    assert raised.value.exit_code == 3
    assert raised.value.hash == found.hash


def test_a_refusal_that_nobody_can_lift_names_no_plan() -> None:
    with pytest.raises(Refused, match="git revert") as raised:
        plan(tree(a="1"), {}, {}, record=record(), relation=Relation.BEHIND).demand()
    assert raised.value.hash == ""
    assert "--approve" not in str(raised.value)


def test_a_plan_without_a_refusal_lets_itself_through() -> None:
    without(10, 20).demand()


def test_a_refusal_shows_no_value() -> None:
    wanted = {"a": want("s3cret-new", secret=True)}
    found = plan(wanted, {"a": have("s3cret-old", THEIRS)}, {}, record=None)
    assert found.refusals
    assert "s3cret" not in "".join(str(refusal) for refusal in found.refusals)


def test_a_single_key_is_spoken_of_as_one() -> None:
    assert "1 key there has another value than" in texts.first_contact(1).message
    assert "1,200 keys there have other values than" in texts.first_contact(1_200).message
    assert texts.conflict(("a",)).message.startswith("1 key belongs to")
    assert texts.conflict(tuple("abcdefg")).message.endswith("a, b, c, d, e and 2 more")


def test_a_rewritten_history_names_what_rewrites_it_besides_a_push() -> None:
    refusal = texts.history(Relation.REWRITTEN, ("a" * 40,), "b" * 40)
    assert refusal is not None
    assert all(word in refusal.hint for word in ("amend", "rebase", "reset", "forced push", "approve"))


def test_a_plan_that_refuses_itself_twice_tells_each_way_out() -> None:
    refusals = (texts.empty(11), texts.mass_delete(11, 11))
    assert Refused(refusals, "12").hint == (
        f"{refusals[0].hint}; {refusals[1].hint}; to let exactly this plan through: --approve 12"
    )
