"""A saved plan says what an apply would do, shows no secret, and holds only while nothing has moved."""

import pytest
from msgspec.structs import replace

from syncd.core.errors import SyncdError
from syncd.core.saved import FORMAT, Around, PlanMoved, SavedPlan, SavedValue, decode, demand_same, encode, save
from tests.support.planning import applied, have, plan, record, want

AROUND = Around("config/mordomo", record(), 5, "git")


def saved(index: int = 7) -> SavedPlan:
    made = plan(
        {"model": want("new"), "token": want("s3cret", secret=True)},
        {"model": have("old", index=index)},
        record=record(),
    )
    return save(made, AROUND)


def test_a_saved_plan_reads_back_as_it_was() -> None:
    assert decode(encode(saved()), "plan.json") == saved()


def test_values_are_text_base64_or_where_secret_a_hash() -> None:
    made = plan({"token": want("s3cret", secret=True), "text": want("ção")}, {"blob": have("")}, record=record())
    by_key = {change.key: change for change in save(made, AROUND).changes}
    assert by_key["text"].after == SavedValue(text="ção")
    assert b"s3cret" not in encode(save(made, AROUND))
    assert by_key["token"].after is not None
    assert by_key["token"].after.hash is not None


def test_bytes_that_are_not_text_are_kept_as_base64() -> None:
    blob = replace(want(""), value=b"\xff\x00")
    (change,) = save(plan({"blob": blob}, {}, record=record()), AROUND).changes
    assert change.after == SavedValue(base64=b"\xff\x00")
    assert decode(encode(save(plan({"blob": blob}, {}, record=record()), AROUND)), "plan.json").changes == (change,)


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"format": "1"}'])
def test_what_is_no_saved_plan_is_refused_with_its_place(text: bytes) -> None:
    with pytest.raises(SyncdError, match=r"plan\.json: this is not a saved plan"):
        decode(text, "plan.json")


def test_a_plan_of_another_format_is_refused() -> None:
    with pytest.raises(SyncdError, match=f"format {FORMAT + 1}, this syncd knows {FORMAT}"):
        decode(encode(replace(saved(), format=FORMAT + 1)), "plan.json")


def test_the_same_plan_still_holds() -> None:
    demand_same(saved(), saved())


def test_a_key_that_moved_is_named() -> None:
    with pytest.raises(PlanMoved, match="these keys moved: model"):
        demand_same(saved(index=7), saved(index=8))


def test_many_moved_keys_are_counted() -> None:
    one = plan({f"key{number}": want("new") for number in range(8)}, {}, record=record())
    with pytest.raises(PlanMoved, match="key0, key1, key2, key3, key4 and 3 more"):
        demand_same(save(one, AROUND), save(plan({}, {}, record=record()), AROUND))


def test_a_record_that_moved_is_told() -> None:
    with pytest.raises(PlanMoved, match="the control record or the guards moved"):
        demand_same(saved(), replace(saved(), record_index=6))


def test_places_are_named_from_the_repositorys_root() -> None:
    assert [change.at for change in saved().changes] == ["config/mordomo/brain.yaml:1:1"] * 2


def test_edits_that_were_applied_without_a_commit_are_told() -> None:
    edited = record(applied=replace(applied(), worktree=True))
    made = plan({}, {}, record=edited)
    assert save(made, Around("", edited, 5, "state")).applied_worktree
    assert not saved().applied_worktree
