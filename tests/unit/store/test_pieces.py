"""A long array in pieces is the array."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.store.pieces import Pieces

# Names and values made of what could be taken for the end of an object.
NASTY = st.text(st.sampled_from('{}[],:"\\ \naé"K'), max_size=12) | st.sampled_from(
    ['},{"', '},{"Key":', '},{ "A', "}]", '\\"},{"a', "}", '"},{"Key":"']
)
ENTRIES = st.lists(st.fixed_dictionaries({"Key": NASTY, "Value": NASTY, "Flags": st.integers(0, 9)}), max_size=30)
LAYOUTS = st.sampled_from([(None, (",", ":")), (4, (",", ": ")), (None, (" , ", " : ")), (0, (",", ":"))])


def read(text: bytes, cuts: list[int], size: int) -> list[object]:
    pieces: Pieces[object] = Pieces(msgspec.json.Decoder(list[object]).decode, size=size)
    found: list[object] = []
    edges = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    for start, end in pairwise(edges):
        found += pieces.feed(text[start:end])
    return found + pieces.close()


@given(ENTRIES, LAYOUTS, st.lists(st.integers(0, 3000), max_size=40), st.integers(1, 400))
def test_any_cut_of_the_bytes_gives_the_same_objects(
    entries: list[object], layout: tuple[int | None, tuple[str, str]], cuts: list[int], size: int
) -> None:
    text = json.dumps(entries, indent=layout[0], separators=layout[1]).encode()
    assert read(text, cuts, size) == entries


@given(ENTRIES, LAYOUTS, st.integers(1, 400), st.data())
def test_any_truncated_array_is_an_error(
    entries: list[object], layout: tuple[int | None, tuple[str, str]], size: int, data: st.DataObject
) -> None:
    text = json.dumps(entries, indent=layout[0], separators=layout[1]).encode()
    end = data.draw(st.integers(0, len(text) - 1))
    cuts = data.draw(st.lists(st.integers(0, end), max_size=20))
    with pytest.raises(msgspec.DecodeError):
        read(text[:end], cuts, size)


@given(ENTRIES, st.sampled_from([b"]", b"[", b"x", b",", b"{}", b"[]", b"\x00"]), st.integers(1, 400))
def test_what_follows_the_array_is_an_error(entries: list[object], more: bytes, size: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(json.dumps(entries).encode() + more, [], size)


def test_an_object_larger_than_a_piece_is_read() -> None:
    entries: list[object] = [{"Key": "x" * 5000}, {"Key": "y" * 7000}, {"Key": "z"}]
    assert read(json.dumps(entries).encode(), list(range(0, 12_000, 100)), 1000) == entries


def test_pieces_are_given_out_while_the_bytes_come() -> None:
    pieces: Pieces[object] = Pieces(msgspec.json.Decoder(list[object]).decode, size=10)
    assert pieces.feed(b'[{"Key":1},{"Key":2},{"Ke') == [{"Key": 1}, {"Key": 2}]
    assert pieces.feed(b'y":3') == []
    assert pieces.feed(b"}]\n") == []
    assert pieces.close() == [{"Key": 3}]
