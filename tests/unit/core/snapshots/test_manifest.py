"""Manifests and names of files."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.errors import SnapshotError
from syncd.core.snapshots.census import Contents
from syncd.core.snapshots.manifest import Manifest, decode, encode, file_name
from syncd.core.snapshots.records import Kind

DAY = date(2026, 11, 26)
CONTENTS = Contents(
    index=1570, term=2, state_bytes=9, records=1, keys=1, nodes=0, services=0, checks=0, kinds={"KVS": Kind(1, 8)}
)
MANIFEST = Manifest(
    file="consul-20261126-1570.snap", taken=1, date=DAY, size=3, sha256="00", prefix="app", contents=CONTENTS
)


@given(st.builds(Manifest, contents=st.builds(Contents)))
def test_a_manifest_reads_back_as_it_was(manifest: Manifest) -> None:
    manifest = replace(manifest, format=1)
    assert decode(encode(manifest)) == manifest


def test_the_name_says_date_index_and_commit() -> None:
    commit = replace(CONTENTS, commit="4f2a9c1d" * 5)
    assert file_name(DAY, commit) == "consul-20261126-1570-4f2a9c1.snap"
    assert file_name(DAY, CONTENTS) == "consul-20261126-1570.snap"
    assert file_name(DAY, commit, 2) == "consul-20261126-1570-4f2a9c1-2.snap"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (encode(MANIFEST).replace(b'"format": 1', b'"format": 2'), "format 2, this syncd knows 1"),
        (encode(MANIFEST)[:-9], "damaged"),
        (b'{"format": 1}', "damaged"),
        (b"\xff", "damaged"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_error(text: bytes, said: str) -> None:
    with pytest.raises(SnapshotError, match=said):
        decode(text)
