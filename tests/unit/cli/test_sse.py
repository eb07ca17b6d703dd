"""Server-sent events come whole, however the network cut them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli import sse
from syncd.cli.sse import Frame, Frames

STREAM = (
    b"retry: 2000\n: following\n\nid: e-1\n\n"
    b'id: e-2\nevent: x\ndata: {"a":1}\n\n:\n\n'
    b"id:e-3\r\ndata: 1\r\ndata: 2\r\n\r\n"
)
WHOLE = [Frame("e-2", b'{"a":1}'), Frame("e-3", b"1\n2")]


def read(frames: Frames, *pieces: bytes) -> list[Frame]:
    return [frame for piece in pieces for frame in frames.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_come_whole_wherever_they_were_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert read(Frames(), *pieces) == WHOLE


def test_a_place_that_is_told_without_an_event_counts() -> None:
    frames = Frames()
    assert read(frames, b"id: e-1\n\n") == []
    assert frames.id == "e-1"


def test_what_was_cut_off_by_the_end_of_a_connection_is_asked_for_again() -> None:
    frames = Frames()
    assert read(frames, b"id: e-1\ndata: 1\n\nid: e-2\ndata: 2") == [Frame("e-1", b"1")]
    frames.cut()
    assert frames.id == "e-1"
    assert read(frames, b"id: e-2\ndata: 2\n\n") == [Frame("e-2", b"2")]


def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="without an end"):
        read(Frames(), b"data: 12345\n", b"data: 12345")
