"""A plan's hash, what an approval lifts, and deletes that wait for one."""

from io import StringIO
from typing import Any, ClassVar

import msgspec
import pytest
from rich.console import Console

from syncd.core.change import Operation
from syncd.core.desired import Commit, DesiredKey
from syncd.core.history import Relation
from syncd.core.live import Entry
from syncd.core.plan import MAX_GRANTED, Plan
from syncd.core.planning import Situation, make_plan
from syncd.core.record import Applying, applied_of
from tests.support.planning import OURS, THEIRS, based, desired, have, plan, record, tree, want, written

KEYS = tree(a="1", b="2", c="3")
BASE = {"a": based("1"), "b": based("1"), "c": based("3"), "gone": based("x")}
LIVE = {"a": have("1"), "b": have("1"), "c": have("other", 0), "gone": have("x"), "orphan": have("o", 0)}
"""b is updated, c taken over (it is not in the base below), gone deleted, orphan withheld."""


def drawn(
    keys: dict[str, DesiredKey] = KEYS, live: dict[str, Entry] = LIVE, *, commit: Commit | None = None, **fields: object
) -> Plan:
    """Plan one update, one takeover, one delete and one orphan."""
    base = {key: value for key, value in BASE.items() if key != "c"} | {"orphan": based("o")}
    relation = fields.pop("relation", Relation.DESCENDANT)
    assert isinstance(relation, Relation)
    return plan(keys, live, base, record=record(**fields), commit=commit, relation=relation)


def moved(live: dict[str, Entry], by: int) -> dict[str, Entry]:
    return {key: msgspec.structs.replace(entry, index=entry.index + by) for key, entry in live.items()}


def test_the_example_is_what_it_says() -> None:
    found = drawn()
    assert found.counts == {"update": 1, "takeover": 1, "delete": 1}
    assert [(change.key, why) for change, why in found.withheld] == [("orphan", "orphan")]
    assert found.liftable == ("orphan",)
    assert len(found.hash) == 16


@pytest.mark.parametrize(
    "same",
    [
        drawn(live=moved(LIVE, 1000)),
        drawn(KEYS | tree(b="another update")),
        drawn(KEYS | tree(d="a create")),
        drawn(live={**LIVE, "b": have("drifted")}),
        drawn(live={**LIVE, "a": have("1", 0)}),
        drawn(live={**LIVE, "foreign": have("f", 0)}),
        drawn(commit=Commit("b" * 40, "refs/heads/other", "Rui", "Message", 99)),
        drawn(lineage="another name for the same history"),
        drawn(rebuilt=True),
    ],
    ids=["indexes", "update", "create", "drift", "mark", "foreign", "commit's words", "lineage", "rebuilt"],
)
def test_ordinary_updates_indexes_and_times_keep_an_approval_valid(same: Plan) -> None:
    assert same.hash == drawn().hash


@pytest.mark.parametrize(
    "other",
    [
        drawn({key: value for key, value in KEYS.items() if key != "a"}),
        drawn(live={key: entry for key, entry in LIVE.items() if key != "gone"}),
        drawn(live={**LIVE, "gone": have("y")}),
        drawn(live={**LIVE, "orphan": have("edited", 0)}),
        drawn(live={**LIVE, "c": have("edited", 0)}),
        drawn(KEYS | tree(d="1"), {**LIVE, "d": have("theirs", 0)}),
        drawn(commit=Commit("c" * 40)),
        drawn(commit=Commit("b" * 40, worktree=True)),
        drawn(applied=None),
        drawn(source="billing"),
        drawn(relation=Relation.REWRITTEN),
        msgspec.structs.replace(drawn(), epoch="after a restore"),
        msgspec.structs.replace(drawn(), prefix="other"),
        msgspec.structs.replace(drawn(), source="other"),
        msgspec.structs.replace(drawn(), applied="c" * 40),
    ],
    ids=[
        *("delete", "no delete", "deleted value", "orphan's value", "taken value", "takeover", "commit", "worktree"),
        *("first", "other source", "guard", "epoch", "prefix", "source", "applied"),
    ],
)
def test_what_a_person_would_want_to_see_again_voids_an_approval(other: Plan) -> None:
    assert other.hash != drawn().hash


def test_an_edit_in_the_work_tree_voids_an_approval_of_it() -> None:
    edited = Commit("b" * 40, worktree=True)
    assert drawn(commit=edited).hash != drawn(KEYS | tree(c="another"), commit=edited).hash


def test_an_approval_lifts_exactly_its_plan() -> None:
    refused = drawn(relation=Relation.REWRITTEN)
    assert refused.needs_approval
    assert refused.approve(None) is refused
    assert refused.approve(drawn().hash) is refused
    approved = refused.approve(refused.hash)
    assert approved.refusals == ()
    assert approved.withheld == ()
    assert [change.key for change in approved.changes] == ["b", "c", "gone", "orphan"]
    assert approved.lifted == ("orphan", "rewritten")
    assert not approved.needs_approval


def test_the_approved_plan_keeps_its_name() -> None:
    refused = drawn(relation=Relation.REWRITTEN)
    assert refused.approve(refused.hash).hash == refused.hash
    assert refused.lift(["orphan"]).hash == refused.hash


def test_guards_are_lifted_one_after_the_other_without_loss() -> None:
    refused = drawn(relation=Relation.REWRITTEN)
    assert refused.lift(["rewritten"]).lift(["orphan"]).lifted == ("orphan", "rewritten")


def test_a_plan_that_needs_no_approval_is_not_changed_by_one() -> None:
    found = plan(tree(a="1"), {}, {}, record=record())
    assert not found.needs_approval
    assert found.approve(found.hash) is found


def test_behind_is_never_lifted() -> None:
    found = drawn(relation=Relation.BEHIND)
    assert found.liftable == ("orphan",)
    assert [refusal.guard for refusal in found.approve(found.hash).refusals] == ["behind"]
    assert [refusal.guard for refusal in found.lift(["behind", "orphan"]).refusals] == ["behind"]
    alone = plan(tree(a="1"), {}, {}, record=record(), relation=Relation.BEHIND)
    assert not alone.needs_approval
    assert alone.lift(["behind"]).lifted == ()


def test_lifting_names_only_what_stood_in_the_way() -> None:
    assert drawn().lift(["empty", "orphan"]).lifted == ("orphan",)


class TestLostRecord:
    """Marked keys without a record: what they were is not known, so no delete goes unasked."""

    live: ClassVar = {"a": have("old"), "b": have("2"), "gone": have("x"), "foreign": have("f", 0), "kept/k": have("k")}
    keys: ClassVar = tree(a="1", b="2")

    def test_creates_and_updates_go_on_and_deletes_wait(self) -> None:
        found = plan(self.keys, self.live, record=None)
        found.demand()
        assert found.counts == {"update": 1, "release": 1}
        assert [(change.key, why) for change, why in found.withheld] == [("gone", "unproved")]
        assert found.rebuilt

    def test_the_next_plan_still_withholds_them(self) -> None:
        live = written(self.live, plan(self.keys, self.live, record=None).changes)
        base = {"a": based("1"), "b": based("2")}
        again = plan(self.keys, live, base, record=record(rebuilt=True))
        assert [change.key for change, _ in again.withheld] == ["gone"]
        assert again.rebuilt
        assert again.changes == ()

    def test_what_git_named_since_is_deleted_as_usual(self) -> None:
        live = {"a": have("1"), "b": have("2"), "gone": have("x")}
        found = plan(tree(a="1"), live, {"a": based("1"), "b": based("2")}, record=record(rebuilt=True))
        assert [change.key for change in found.changes] == ["b"]
        assert [change.key for change, _ in found.withheld] == ["gone"]

    def test_an_approval_deletes_them_and_ends_the_doubt(self) -> None:
        found = plan(self.keys, self.live, record=None)
        approved = found.approve(found.hash)
        assert [change.key for change in approved.changes if change.operation is Operation.DELETE] == ["gone"]
        assert not approved.rebuilt

    def test_lifting_something_else_does_not_end_it(self) -> None:
        assert plan(self.keys, self.live, record=None).lift(["orphan"]).rebuilt

    def test_the_doubt_ends_when_nothing_is_left_to_doubt(self) -> None:
        assert not plan(self.keys, {"a": have("1"), "b": have("2")}, record=None).rebuilt
        assert not plan(self.keys, {"a": have("1")}, {}, record=record(rebuilt=True)).rebuilt

    def test_a_record_of_an_apply_that_never_ended_proves_nothing(self) -> None:
        """In doubt the record is rewritten, so a lost one may stand again with nothing applied in it."""
        found = plan(self.keys, self.live, record=record(applied=None))
        assert [change.key for change, _ in found.withheld] == ["gone"]

    def test_a_plan_for_some_keys_cannot_end_the_doubt(self) -> None:
        """It does not see what is withheld elsewhere; forgetting that would delete it later, unasked."""
        base = {"a": based("1"), "b": based("2")}
        live = {"a": have("1"), "b": have("2"), "gone": have("x"), "new": have("n", 0)}
        some = plan(tree(a="9", b="2"), live, base, record=record(rebuilt=True), only=frozenset({"a"}))
        assert some.partial
        assert some.rebuilt
        assert some.lift(["unproved"]).rebuilt

    def test_without_doubt_a_plan_for_some_keys_raises_none(self) -> None:
        assert not plan(tree(a="9"), {"a": have("1")}, {"a": based("1")}, record=record(), only=frozenset("a")).rebuilt


def test_a_release_is_made_once_and_the_key_is_foreign_from_then_on() -> None:
    live = {"a": have("1"), "kept/k": have("v")}
    first = plan(tree(a="1"), live, {"a": based("1"), "kept/k": based("v")}, record=record())
    live = written(live, first.changes)
    assert live["kept/k"].flags == 0
    second = plan(tree(a="1"), live, {"a": based("1")}, record=record())
    assert (second.changes, second.left, second.foreign) == ((), (), 1)


def test_a_key_that_leaves_git_and_comes_back_is_ours_again() -> None:
    live = {"a": have("1"), "kept/k": have("v")}
    base = {"a": based("1"), "kept/k": based("v")}
    live = written(live, plan(tree(a="1"), live, base, record=record()).changes)
    back = plan({**tree(a="1"), "kept/k": want("v")}, live, {"a": based("1")}, record=record())
    assert [change.operation for change in back.changes] == [Operation.MARK]
    live = written(live, back.changes)
    assert live["kept/k"].flags == OURS


def test_the_counts_say_whose_the_live_keys_are() -> None:
    live = {"a": have("1"), "b": have("2", 0), "x": have("x", 0), "y": have("y", THEIRS)}
    keys = tree(a="1", b="2")
    assert plan(keys, live, {"a": based("1")}, record=record()).foreign == 2
    assert plan(keys, live, record=record()).owned == 1
    assert plan(keys, live, {"a": based("1"), "b": based("2")}, record=record()).owned == 2
    assert plan(keys, live, {}, record=record(), only=frozenset("a")).foreign == 0


def test_of_a_key_that_is_looked_at_and_stands_nowhere_nothing_is_planned() -> None:
    found = plan(tree(a="1"), {"b": have("2")}, {"b": based("2")}, record=record(), only=frozenset({"gone", "b"}))
    assert [(change.operation, change.key) for change in found.changes] == [(Operation.DELETE, "b")]


def test_changes_are_in_the_order_of_the_keys_bytes() -> None:
    keys = {key: want("v") for key in ("é", "z", "a/b", "a", "a.b", "\U0001f600", "\uffee")}
    found = plan(keys, {}, {}, record=record())
    assert [change.key for change in found.changes] == sorted(keys, key=str.encode)


def test_a_plan_names_commits_and_digest() -> None:
    found = plan(KEYS, {}, {}, record=record())
    assert (found.applied, found.commit.id, found.epoch) == ("a" * 40, "b" * 40, "epoch")
    assert (found.keys, found.digest) == (3, desired(KEYS).digest)
    first = plan(KEYS, {}, record=None)
    assert (first.applied, first.epoch) == (None, "")


def rendered(shown: object) -> str:
    out = StringIO()
    Console(file=out, width=300).print(shown)
    return out.getvalue()


@pytest.mark.parametrize("show", [str, repr, rendered])
def test_no_value_is_ever_shown_by_accident(show: object) -> None:
    assert callable(show)
    keys = {"a": want("s3cret-1", secret=True), "b": want("s3cret-2")}
    live = {"a": have("s3cret-3"), "gone": have("s3cret-4"), "orphan": have("s3cret-5", 0)}
    found = plan(keys, live, {"orphan": based("s3cret-5")}, record=record())
    text = show((found, found.changes, desired(keys), live))
    assert "s3cret" not in text
    assert "sha256:" in text


def test_a_revision_in_the_record_names_the_commit() -> None:
    applied = applied_of(Commit("b" * 40), keys=3, digest="00", previous="a" * 40, manifest={"a": "create"})
    assert (applied.commit, applied.previous, applied.manifest) == ("b" * 40, "a" * 40, {"a": "create"})


class TestOrphansOfEarlierCommits:
    """Keys that git dropped after somebody had edited them: the record remembers that they were syncd's."""

    remembered = record(orphans=("old",))

    def test_they_are_still_withheld_and_remembered_further(self) -> None:
        found = plan({}, {"old": have("edited", 0)}, {}, record=self.remembered)
        assert [(change.key, why) for change, why in found.withheld] == [("old", "orphan")]
        assert found.orphans == ("old",)
        assert found.foreign == 0

    def test_an_approval_deletes_and_forgets_them(self) -> None:
        found = plan({}, {"old": have("edited", 0)}, {}, record=self.remembered)
        approved = found.approve(found.hash)
        assert [(change.operation, change.key) for change in approved.changes] == [(Operation.DELETE, "old")]
        assert approved.orphans == ()

    def test_they_are_forgotten_once_they_are_gone(self) -> None:
        assert plan({}, {}, {}, record=self.remembered).orphans == ()

    def test_git_takes_them_back_without_a_takeover(self) -> None:
        found = plan(tree(old="new"), {"old": have("edited", 0)}, {}, record=self.remembered)
        assert found.counts == {"update": 1}

    def test_their_values_are_not_shown(self) -> None:
        found = plan({}, {"old": have("edited", 0)}, {}, record=self.remembered)
        assert found.withheld[0][0].secret


class TestResuming:
    """What was approved when a revision was begun goes on after a crash, and nothing else with it."""

    keys = tree(stay="1")
    live: ClassVar = {"stay": have("1"), **{f"gone{n}": have("x") for n in range(20)}}
    begun = plan(keys, live, dict.fromkeys(live, based("x")), record=record()).approve(
        plan(keys, live, dict.fromkeys(live, based("x")), record=record()).hash
    )

    def applying(self, **other: object) -> Applying:
        made = self.begun
        fields: dict[str, Any] = {"commit": made.commit.id, "started": 1, "lifted": made.lifted}
        return Applying(**(fields | {"digest": f"{made.digest:064x}", "granted": made.granted} | other))

    def drawn(self, live: dict[str, Entry]) -> Plan:
        return plan(self.keys, live, dict.fromkeys(self.live, based("x")), record=record())

    def test_the_rest_of_what_was_approved_goes_on(self) -> None:
        left = {key: entry for key, entry in self.live.items() if key not in ("gone0", "gone1")}
        resumed = self.drawn(left).resume(self.applying())
        assert resumed.refusals == ()
        assert len(resumed.changes) == 18

    def test_a_delete_that_was_not_approved_stops_it(self) -> None:
        assert self.drawn({**self.live, "new": have("stray")}).resume(self.applying()).refusals

    def test_a_value_that_moved_since_stops_it(self) -> None:
        assert self.drawn({**self.live, "gone3": have("another")}).resume(self.applying()).refusals

    @pytest.mark.parametrize("other", [{"commit": "c" * 40}, {"worktree": True}, {"digest": "0"}, {"granted": b""}])
    def test_another_revision_or_a_forgotten_approval_is_not_resumed(self, other: dict[str, object]) -> None:
        assert self.drawn(self.live).resume(self.applying(**other)).refusals

    def test_nothing_begun_lifts_nothing(self) -> None:
        assert self.drawn(self.live).resume(None).refusals

    def test_more_than_the_record_can_hold_is_approved_anew(self) -> None:
        many = {f"gone{n}": have("x") for n in range(MAX_GRANTED + 1)}
        made = plan({}, many, dict.fromkeys(many, based("x")), record=record())
        assert made.approve(made.hash).granted == b""
        assert made.granted == b""


class TestRestingKeys:
    """Keys that a rival writes again and again are left for a while, unless git itself changed them."""

    def drawn(self, wanted: str) -> Plan:
        keys, live = tree(a=wanted), {"a": have("rival", 0)}
        asked = Situation(
            "config", "config", Commit("b" * 40), desired(keys), live, record(), {"a": based("1")}, Relation.DESCENDANT
        )
        return make_plan(msgspec.structs.replace(asked, resting=frozenset({"a"})))

    def test_they_are_left_while_git_says_what_it_said(self) -> None:
        found = self.drawn("1")
        assert found.changes == ()
        assert [(left.key, left.why) for left in found.left] == [("a", "rival")]

    def test_a_change_in_git_is_written_all_the_same(self) -> None:
        assert self.drawn("2").counts == {"update": 1}


def test_a_plan_strays_where_its_commit_does_not_follow_what_stands() -> None:
    assert drawn(relation=Relation.REWRITTEN).strays
    assert not drawn().strays
