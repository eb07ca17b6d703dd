"""What is told of a key, given what was published last and what stands now."""

from syncd.core.desired import DesiredKey, Policy
from syncd.core.digest import value_hash
from syncd.core.event import KeyChange, shown
from syncd.core.live import Entry
from syncd.core.mark import mark_of
from syncd.core.publication import Difference, Past, Sayings, compare
from syncd.core.rules import Rules

MARK = mark_of("s")
SECRET_RULES = Rules.parse(b"rules:\n- match: hidden.yaml\n  secret: true\n", None)


def said(value: bytes, *, secret: bool = False) -> DesiredKey:
    return DesiredKey(value, "brain.yaml", 2, 1, secret, Policy())


def differences(past: dict[str, Past], live: dict[str, Entry], sayings: Sayings | None = None) -> list[Difference]:
    return list(compare(sorted({*past, *live, "nowhere"}), past.get, live, sayings or Sayings({})))


def test_what_stands_as_it_was_published_is_nothing_to_tell_whatever_its_index_and_flags() -> None:
    assert differences({"a": Past(False, b"1")}, {"a": Entry(b"1", 7, 9)}) == []
    assert differences({"a": Past(False, None, value_hash(b"1"))}, {"a": Entry(b"1", 7, 9)}) == []


def test_a_change_has_both_values_and_the_place_that_says_it() -> None:
    sayings = Sayings({"a": said(b"2")}, root="config")
    (found,) = differences({"a": Past(False, b"1")}, {"a": Entry(b"2", MARK, 9)}, sayings)
    assert found.change == KeyChange("a", "update", b"1", b"2", shown(b"1"), shown(b"2"), "config/brain.yaml:2:1")
    assert found.secret is False


def test_the_place_in_a_tree_that_is_the_whole_repository() -> None:
    assert Sayings({"a": said(b"2")}).place("a") == "brain.yaml:2:1"
    assert Sayings({}).place("a") == Sayings().place("a") == ""


def test_new_and_gone_keys() -> None:
    created, gone = differences({"b": Past(False, b"1")}, {"a": Entry(b"2", 0, 9)})
    assert created.change == KeyChange("a", "create", None, b"2", "", shown(b"2"))
    assert gone.change == KeyChange("b", "delete", b"1", None, shown(b"1"), "")


def test_after_a_restart_the_old_value_is_known_by_its_hash_alone() -> None:
    (found,) = differences({"a": Past(False, None, value_hash(b"1"))}, {"a": Entry(b"2", 0, 9)})
    assert (found.change.old, found.change.old_hash, found.change.new) == (None, shown(b"1"), b"2")


# promise 12
def test_a_secret_shows_neither_its_value_nor_the_one_before() -> None:
    sayings = Sayings({"a": said(b"2", secret=True)})
    (found,) = differences({"a": Past(False, b"1")}, {"a": Entry(b"2", MARK, 9)}, sayings)
    assert (found.change.old, found.change.new, found.change.secret, found.secret) == (None, None, True, True)


# promise 12
def test_what_was_a_secret_is_not_shown_as_the_old_value_either() -> None:
    (found,) = differences({"a": Past(True, b"1")}, {"a": Entry(b"2", MARK, 9)}, Sayings({"a": said(b"2")}))
    assert (found.change.old, found.change.new, found.change.secret) == (None, None, True)
    assert found.secret is False, "from now on it may be shown"
    (gone,) = differences({"a": Past(True, b"1")}, {})
    assert (gone.change.old, gone.change.secret) == (None, True)


# promise 12
def test_what_a_source_wrote_that_nobody_can_ask_may_be_a_secret() -> None:
    assert Sayings().hides("a", Entry(b"1", MARK, 9))
    assert Sayings({}).hides("a", Entry(b"1", mark_of("another"), 9))
    assert not Sayings({}).hides("a", Entry(b"1", 0, 9))
    assert Sayings({}, SECRET_RULES).hides("hidden/a", Entry(b"1", 0, 9))
