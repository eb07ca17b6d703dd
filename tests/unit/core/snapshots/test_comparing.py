"""Two snapshots' keys, compared."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.digest import shown_hash
from syncd.core.snapshots.comparing import compare
from syncd.core.snapshots.records import Entry


def test_created_changed_and_deleted_keys_are_told_apart() -> None:
    old = [Entry("a", b"1"), Entry("b", b"2"), Entry("c", b"3")]
    new = [Entry("b", b"two"), Entry("c", b"3", modify_index=9), Entry("d", b"4")]
    found = compare(old, new)
    assert [(each.key, str(each.operation)) for each in found.changes] == [
        ("a", "delete"),
        ("b", "update"),
        ("d", "create"),
    ]
    assert found.same == 1
    update = found.changes[1]
    assert update.old
    assert update.new
    assert (update.old.shown_hash, update.new.size, update.new.value) == (shown_hash(b"2"), 3, None)


def test_values_are_held_only_where_they_are_asked_for() -> None:
    (change,) = compare([], [Entry("a", b"1")], values=True).changes
    assert change.new
    assert change.new.value == b"1"


def test_other_flags_are_a_change() -> None:
    (change,) = compare([Entry("a", b"1", 1)], [Entry("a", b"1", 2)]).changes
    assert str(change.operation) == "update"


Keys = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2))


@given(Keys, Keys, st.booleans())
def test_the_changes_lead_from_the_one_to_the_other(old: dict[str, bytes], new: dict[str, bytes], values: bool) -> None:
    def entries(pairs: dict[str, bytes]) -> list[Entry]:
        return [Entry(key, value) for key, value in pairs.items()]

    found = compare(entries(old), entries(new), values=values)
    names = [change.key for change in found.changes]
    assert names == sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    assert found.same == sum(key in new and new[key] == value for key, value in old.items())
