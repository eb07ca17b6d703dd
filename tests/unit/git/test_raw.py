"""Git's object formats."""

import pytest

from syncd.git.raw import Malformed, object_name, parse_commit, parse_tree

OID = b"\x01" * 20


def test_a_commit_with_every_header_is_read() -> None:
    commit = parse_commit(
        b"tree t1\nparent p1\nparent p2\nauthor Ana Lima <ana@example.org> 5 -0300\n"
        b"committer Rui <rui@example.org> 7 +0000\ngpgsig -----BEGIN\n author Eve <e@e> 9 +0000\n -----END\n\n"
        b"Title\n\nBody\n"
    )
    assert (commit.tree, commit.parents) == ("t1", ("p1", "p2"))
    assert (commit.author, commit.time, commit.message) == ("Ana Lima <ana@example.org>", 7, "Title\n\nBody")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [(b"encoding ISO-8859-1\n", "Jos\xe9"), (b"", "Jos\ufffd"), (b"encoding none-such\n", "Jos\ufffd")],
)
def test_text_in_another_encoding_is_read_or_replaced(encoding: bytes, expected: str) -> None:
    commit = parse_commit(b"tree t\nauthor Jos\xe9 <j@x> 1 +0000\ncommitter J <j@x> 1 +0000\n%s\nJos\xe9" % encoding)
    assert commit.author == f"{expected} <j@x>"
    assert commit.message == expected


def test_people_and_times_that_old_tools_wrote_wrong_are_tolerated() -> None:
    commit = parse_commit(b"tree t\nauthor nobody\ncommitter someone <x> soon\n\n")
    assert (commit.author, commit.time, commit.message) == ("nobody", 0, "")
    assert parse_commit(b"tree t\nauthor  <> 1 +0000\n\n").author == " <>"


def test_a_commit_without_a_tree_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_commit(b"author A <a> 1 +0000\n\nx")


def test_a_tree_is_read_by_name() -> None:
    data = b"100644 a b\0" + OID + b"40000 d\0" + OID
    assert parse_tree(data, 20) == {b"a b": (b"100644", OID), b"d": (b"40000", OID)}
    assert parse_tree(b"", 20) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"100644 a\0" + OID[:19],
        b"x" + b"100644 a\0" + OID,
        b"100644 a/b\0" + OID,
        b"100644 \0" + OID,
        b"100644 a\0" + OID + b"100755 a\0" + OID,
    ],
)
def test_a_tree_with_damaged_or_repeated_names_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_tree(data, 20)


def test_objects_are_named_as_git_names_them() -> None:
    assert object_name("sha1", "blob", b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert object_name("sha256", "blob", b"").startswith("473a0f4c3be8a93681a267e3b1e9a7dc")
