"""A snapshot in numbers."""

from syncd.core.snapshots.archive import Meta
from syncd.core.snapshots.census import Census, Contents
from syncd.core.snapshots.records import Kind, Records
from tests.support.snapshots import control, kv, register, state

META = Meta(index=9, term=2, size=100)


def count(*records: tuple[int, object], prefix: str = "app") -> Contents:
    census = Census(prefix)
    reading = Records(census.wanted)
    for record in reading.feed(state(records)):
        census.add(record)
    return census.contents(META, reading.kinds)


def test_records_are_counted_by_kind_with_their_bytes() -> None:
    found = count(kv("a"), kv("b"), (17, {}), (3, {}))
    assert list(found.kinds) == ["KVS", "ACLToken", "Session"]
    assert found.kinds["ACLToken"] == Kind(1, 2)
    assert (found.keys, found.records, found.index, found.term, found.state_bytes) == (2, 4, 9, 2, 100)


def test_nodes_services_and_checks_are_told_apart() -> None:
    found = count(register(), register(service={"ID": "web"}), register(check={"Name": "up"}), register())
    assert (found.nodes, found.services, found.checks, found.datacenter) == (2, 1, 1, "dc1")


def test_kinds_of_newer_versions_are_counted_and_passed_over() -> None:
    found = count(kv("a"), (63, [1, 2]), (201, "x"))
    assert found.unknown == (63, 201)
    assert found.kinds["unknown (201)"] == Kind(1, 3)


def test_it_says_which_commit_was_applied() -> None:
    assert count(control("app", "c0ffee1")).commit == "c0ffee1"
    assert count(control("app", "c0ffee1", "badcafe")).applying == "badcafe"
    assert count(control("other", "c0ffee1")).commit is None
    assert count(control("app", None)).commit is None


def test_a_control_record_that_cannot_be_read_tells_no_commit() -> None:
    assert count(kv("app/.syncd/revision", b"{")).commit is None
    assert count((2, {"Key": "app/.syncd/revision", "Value": None})).commit is None


def test_an_odd_datacenter_is_passed_over() -> None:
    assert count((0, {"Datacenter": None})).datacenter == ""


def test_nothing_at_all_is_counted_as_nothing() -> None:
    found = count()
    assert (found.keys, found.nodes, found.kinds) == (0, 0, {})


def test_it_says_whether_acls_were_bootstrapped() -> None:
    assert count((16, {"Key": "acl-token-bootstrap", "Value": 13})).bootstrapped
    assert not count((16, {"Key": "acl-tokens", "Value": 5}), (17, {})).bootstrapped


def test_it_says_which_store_wrote_it() -> None:
    census = Census("app")
    assert census.contents(Meta(index=9, term=2, size=100, version=100), {}).embedded
    assert not count().embedded
