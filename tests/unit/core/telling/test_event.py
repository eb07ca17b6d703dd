"""Events: folded, limited to what a subscriber wants, bounded, and written as CloudEvents."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core import cloudevent
from syncd.core.event import (
    MOST_BYTES,
    MOST_CHANGES,
    Event,
    KeyChange,
    ToldRevision,
    bounded,
    fold,
    hidden,
    limit,
    shown,
    without_values,
)
from syncd.core.snapshots.failing import Failure
from syncd.core.subscriber import Command, File, Filter, Subscriber, Target, Webhook

REVISION = ToldRevision("c0ffee", "main", "Ana", "Try another model", 1_700_000_000)


def create(key: str, new: bytes) -> KeyChange:
    return KeyChange(key, "create", None, new, "", shown(new))


def update(key: str, old: bytes, new: bytes, **more: Any) -> KeyChange:
    return KeyChange(key, "update", old, new, shown(old), shown(new), **more)


def delete(key: str, old: bytes) -> KeyChange:
    return KeyChange(key, "delete", old, None, shown(old), "")


def event(*changes: KeyChange, seq: int = 1, **more: Any) -> Event:
    fields: dict[str, Any] = {"id": f"e-{seq}", "kind": "revision", "epoch": "e", "index": seq, "time": 1.5}
    return Event(**{**fields, "changes": changes, "count": len(changes), "revision": REVISION, "seq": seq, **more})


# -- fold


def test_one_event_stays_as_it_is() -> None:
    only = event(create("a", b"1"))
    assert fold([only]) is only


def test_several_make_one_with_the_first_old_and_the_last_new_value() -> None:
    folded = fold([event(update("a", b"1", b"2")), event(update("a", b"2", b"3"), create("b", b"x"), seq=2)])
    assert folded.changes == (update("a", b"1", b"3"), create("b", b"x"))
    assert (folded.id, folded.seq, folded.count) == ("e-2", 2, 2)


def test_what_came_and_went_is_told_as_gone_and_what_went_and_came_as_updated() -> None:
    folded = fold([event(create("a", b"1"), delete("b", b"1")), event(delete("a", b"1"), create("b", b"2"), seq=2)])
    assert [(each.key, each.operation) for each in folded.changes] == [("a", "delete"), ("b", "update")]
    assert folded.changes[0] == delete("a", b"1"), "it had a value"
    again = fold([event(create("a", b"1")), event(update("a", b"1", b"2"), seq=2)])
    assert again.changes == (create("a", b"2"),)


def test_what_was_changed_and_then_deleted_is_told_as_deleted_with_the_value_that_was_told_last() -> None:
    folded = fold([event(update("a", b"1", b"2")), event(delete("a", b"2"), seq=2)])
    assert folded.changes == (delete("a", b"1"),)


def test_a_key_that_came_back_to_its_old_value_is_still_told() -> None:
    """A try that failed may have told the value between."""
    folded = fold([event(update("a", b"1", b"2")), event(update("a", b"2", b"1"), seq=2)])
    assert [(each.old, each.new) for each in folded.changes] == [(b"1", b"1")]


def test_a_key_that_was_or_became_secret_shows_no_value() -> None:
    hidden = replace(update("a", b"1", b"2"), old=None, new=None, secret=True)
    folded = fold([event(create("a", b"1")), event(hidden, seq=2)])
    assert (folded.changes[0].old, folded.changes[0].new, folded.changes[0].secret) == (None, None, True)


def test_of_a_key_that_is_a_bare_name_only_the_change_is_known() -> None:
    folded = fold([event(update("a", b"1", b"2")), event(KeyChange("a", "update"), seq=2)])
    assert folded.changes == (KeyChange("a", "update"),)


def test_what_became_a_secret_meanwhile_keeps_its_hashes_alone() -> None:
    told = event(update("a", b"1", b"2"), update("b", b"1", b"2"))
    assert hidden(told, {"c"}) is told
    kept = hidden(told, {"a"}).changes
    assert kept == (replace(told.changes[0], old=None, new=None, secret=True), told.changes[1])


def test_the_last_revision_is_named_also_when_a_stranger_wrote_after_it() -> None:
    folded = fold([event(create("a", b"1")), event(create("b", b"1"), seq=2, kind="foreign", revision=None)])
    assert (folded.kind, folded.revision) == ("revision", REVISION)
    foreign = [event(create(key, b"1"), seq=seq, kind="foreign", revision=None) for seq, key in enumerate("ab", 1)]
    assert (fold(foreign).kind, fold(foreign).revision) == ("foreign", None)


def test_where_one_lists_no_keys_nobody_can_say_which_they_were() -> None:
    folded = fold([event(create("a", b"1")), event(seq=2, count=50_000)])
    assert (folded.changes, folded.count) == ((), 50_001)


_values = st.sampled_from([b"1", b"2", b"3"])


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | _values, min_size=1), min_size=1))
def test_whoever_follows_a_folded_event_ends_where_one_who_followed_each_ends(
    histories: list[dict[str, bytes | None]],
) -> None:
    live: dict[str, bytes] = {}
    events = []
    for seq, writes in enumerate(histories, 1):
        changes = []
        for key, value in writes.items():
            old = live.pop(key, None)
            if value is not None:
                live[key] = value
                changes.append(update(key, old, value) if old is not None else create(key, value))
            elif old is not None:
                changes.append(delete(key, old))
        events.append(event(*changes, seq=seq))
    seen: dict[str, bytes | None] = {each.key: each.new for each in fold(events).changes}
    assert {key: value for key, value in seen.items() if value is not None} == live


# -- limit


def test_only_wanted_keys_are_told_and_nothing_where_none_is() -> None:
    both = event(create("a/x", b"1"), create("b/x", b"1"))
    wanted = limit(both, Filter(("a/",)).test())
    assert wanted is not None
    assert ([each.key for each in wanted.changes], wanted.count) == (["a/x"], 1)
    assert limit(both, Filter(("c/",)).test()) is None
    assert limit(both, Filter().test()) is both
    assert limit(event(), Filter().test()) is None


def test_what_lists_no_keys_concerns_everybody() -> None:
    assert limit(event(count=50_000), Filter(("c/",)).test()) is not None
    assert limit(event(kind="test"), Filter(("c/",)).test()) is not None
    reset = event(create("a", b"1"), kind="reset")
    nothing = limit(reset, Filter(("c/",)).test())
    assert nothing is not None
    assert (nothing.changes, nothing.count) == ((), 0)


def test_a_filter_takes_prefixes_and_patterns() -> None:
    test = Filter(("brain/",), ("*/log_level", "tts/**")).test()
    wanted = ["brain/model", "core/log_level", "tts/a/b"]
    assert [key for key in [*wanted, "brainy", "core/x/y"] if test(key)] == wanted


def test_subscribers_name_their_kind_and_who_tells_them() -> None:
    kinds: list[Target] = [Webhook("http://x"), Command(("x",)), File("a", "b")]
    found = [(each.kind, each.scope) for each in (Subscriber("n", kind) for kind in kinds)]
    assert found == [("webhook", "leader"), ("command", "node"), ("file", "node")]


# -- bounds and secrets


def test_without_values_only_hashes_are_left() -> None:
    (change,) = without_values(event(update("a", b"1", b"2", at="a.yaml:1:1"))).changes
    assert (change.old, change.new) == (None, None)
    assert (change.old_hash, change.new_hash, change.at) == (shown(b"1"), shown(b"2"), "a.yaml:1:1")


def test_too_much_leaves_the_names_alone() -> None:
    few = [create("a", b"1")]
    assert bounded(few) == tuple(few)
    assert bounded([create("a", b"x" * (MOST_BYTES + 1))]) == (KeyChange("a", "create"),)
    many = [create(str(number), b"1") for number in range(MOST_CHANGES + 1)]
    assert all(not each.new_hash for each in bounded(many))


def test_no_value_shows_in_a_traceback() -> None:
    assert "hunter2" not in repr(event(create("a", b"hunter2")))


# -- CloudEvents


def written(told: Event) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(cloudevent.encode(told, "config/mordomo"))
    return body


def test_an_event_is_a_cloudevent() -> None:
    body = written(event(update("brain/model", b"a", b"\xff", at="brain.yaml:2:1"), delete("old", b"x")))
    data = body.pop("data")
    assert body == {
        "specversion": "1.0",
        "id": "e-1",
        "source": "urn:syncd:config/mordomo",
        "type": "syncd.revision.applied.v1",
        "subject": "config/mordomo",
        "time": "1970-01-01T00:00:01.500Z",
        "datacontenttype": "application/json",
    }
    assert (data["prefix"], data["epoch"], data["index"]) == ("config/mordomo", "e", 1)
    assert data["revision"]["commit"] == "c0ffee"
    assert (data["count"], data["detail"], data["read"]) == (2, "full", "/v1/kv/config/mordomo/?recurse")
    model, old = data["changes"]
    assert (model["key"], model["operation"], model["at"]) == ("brain/model", "update", "brain.yaml:2:1")
    assert (model["old"], model["new_base64"], "new" in model) == ("a", "/w==", False)
    assert "secret" not in model
    assert (old["operation"], "new" in old, "new_hash" in old) == ("delete", False, False)


def test_a_foreign_change_names_no_revision_and_a_secret_is_called_one() -> None:
    body = written(event(KeyChange("a", "create", new_hash="sha256:1", secret=True), kind="foreign", revision=None))
    assert (body["type"], body["data"]["revision"]) == ("syncd.keys.changed.v1", None)
    assert body["data"]["changes"] == [{"key": "a", "operation": "create", "new_hash": "sha256:1", "secret": True}]


def test_a_large_event_lists_keys_only_and_a_larger_one_not_even_those() -> None:
    one = written(event(create("a", b"x" * (cloudevent.MAX_BYTES + 1))))["data"]
    assert (one["detail"], one["changes"]) == ("keys", [{"key": "a", "operation": "create"}])
    many = [create(f"{number}/{'k' * 400}", b"1") for number in range(3000)]
    all_ = written(event(*many))["data"]
    assert (all_["detail"], all_["changes"], all_["count"]) == ("none", [], 3000)
    between = [create(f"{number}/{'k' * 300}", b'"' * 200) for number in range(2500)]
    assert written(event(*between))["data"]["detail"] == "keys"
    escaped = [create(f"{number}/" + '"' * 400, b"1") for number in range(2000)]
    assert written(event(*escaped))["data"]["detail"] == "none"
    swollen = [create(str(number), b"\x01" * 300) for number in range(1500)]
    assert written(event(*swollen))["data"]["detail"] == "keys"


def test_what_was_kept_as_names_is_told_as_names_and_a_count_as_a_count() -> None:
    assert written(event(KeyChange("a", "update")))["data"]["detail"] == "keys"
    assert written(event(count=9))["data"]["detail"] == "none"
    assert written(event(kind="test"))["data"]["detail"] == "full"


# -- failures

FAILED = Failure("snapshot", "failed", "2026-05-05", 1, "node a", "no space left")


def failed(seq: int, *failures: Failure) -> Event:
    return event(seq=seq, kind="snapshot", revision=None, failures=failures)


def test_failures_are_no_keys_and_are_not_left_out_for_having_none() -> None:
    assert (failed(1, FAILED).about, event().about) == ("snapshots", "keys")
    assert limit(failed(1, FAILED), Filter(about="snapshots").test()) == failed(1, FAILED)


def test_failures_that_were_missed_are_told_in_order() -> None:
    late = replace(FAILED, cause="late")
    folded = fold([failed(1, FAILED), failed(2, late)])
    assert (folded.kind, folded.failures, folded.changes, folded.count) == ("snapshot", (FAILED, late), (), 0)


def test_a_failure_says_all_of_it_and_what_says_nothing_is_left_out() -> None:
    told = json.loads(cloudevent.encode(failed(3, FAILED), "app"))
    assert (told["type"], told["id"], told["source"]) == ("syncd.snapshot.failed.v1", "e-3", "urn:syncd:app")
    (said,) = told["data"]["failures"]
    assert told["data"] == {"prefix": "app", "failures": [said]}
    assert said == {
        "what": "snapshot",
        "cause": "failed",
        "date": "2026-05-05",
        "due": 1,
        "node": "node a",
        "why": "no space left",
    }


def test_each_node_tells_of_what_failed_on_it() -> None:
    about = Filter(about="snapshots")
    assert Subscriber("n", Webhook("http://x"), about).scope == "node"
    assert Subscriber("n", Webhook("http://x")).scope == "leader"
