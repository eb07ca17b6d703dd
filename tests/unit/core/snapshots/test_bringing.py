"""Which keys of a snapshot are written back, and which are not ours to write."""

import pytest

from syncd.core import live
from syncd.core.change import Operation
from syncd.core.desired import DesiredKey, Policy
from syncd.core.mark import LOCK_FLAGS, mark_of
from syncd.core.snapshots.bringing import Bringing, choose
from syncd.core.snapshots.records import Entry

MARK = mark_of("shop")
GIT = {"a": DesiredKey(b"git's", "a.yaml", 1, 1, secret=False, policy=Policy())}


def chosen(entry: Entry, stands: live.Entry | None = None, prefix: str = "shop") -> Bringing:
    return choose([entry], {entry.key: stands} if stands else {}, GIT, prefix)


def test_a_key_that_is_gone_is_created_with_the_flags_of_then() -> None:
    entry = Entry("team/x", b"then", flags=9)
    found = chosen(entry)
    assert found.writes == ((entry, 0),)
    (change,) = found.changes
    assert (change.operation, change.old) == (Operation.CREATE, None)


def test_a_key_that_differs_is_written_at_the_index_seen() -> None:
    entry = Entry("team/x", b"then")
    found = chosen(entry, live.Entry(b"now", 0, 44))
    assert found.writes == ((entry, 44),)
    assert found.changes[0].operation is Operation.UPDATE
    assert chosen(entry, live.Entry(b"then", 1, 44)).writes, "flags count"
    assert chosen(entry, live.Entry(b"then", 0, 44)).same == 1


def test_what_git_names_is_for_git_whatever_its_flags() -> None:
    found = chosen(Entry("shop/a", b"then", flags=MARK), live.Entry(b"git's", MARK, 3))
    assert not found.writes
    (drifted,) = found.git
    assert (drifted.key, drifted.said, drifted.live, drifted.tip) == ("a", b"git's", b"then", "same")
    assert chosen(Entry("shop/a", b"git's")).same == 1
    assert choose([Entry("a", b"x")], {}, GIT, "").git


@pytest.mark.parametrize(
    ("entry", "stands", "why"),
    [
        (Entry("shop/.syncd/revision", b"x"), None, "syncd's own"),
        (Entry("other/.syncd/control", b"x"), None, "syncd's own"),
        (Entry("shop/gone", b"x", flags=MARK), None, "git wrote it then"),
        (Entry("team/x", b"x", flags=mark_of("team")), None, "git wrote it then"),
        (Entry("team/x", b"x"), live.Entry(b"y", mark_of("team"), 3), "a syncd wrote"),
        (Entry("team/x", b"x", session="s"), None, "held by a session"),
        (Entry("team/x", b"x", flags=LOCK_FLAGS), None, "held by a session"),
        (Entry("team/x", b"x"), live.Entry(b"y", 0, 3, "s"), "held by a session"),
        (Entry("team/\udcff", b"x"), None, "not UTF-8"),
    ],
)
def test_what_somebody_would_undo_or_depends_on_is_left(entry: Entry, stands: live.Entry | None, why: str) -> None:
    found = chosen(entry, stands)
    assert (found.writes, found.git) == ((), ())
    assert why in found.left[0].why


def test_other_names_than_ascii_are_fine() -> None:
    assert chosen(Entry("team/é", b"x")).writes
