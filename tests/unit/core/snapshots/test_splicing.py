"""Single records are changed, every other byte stays."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.snapshots.splicing import Cut, splice


def pieces_of(content: bytes, size: int) -> list[memoryview]:
    return [memoryview(content[at : at + size]) for at in range(0, len(content), size)]


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.binary(max_size=5)), max_size=4),
    st.integers(1, 70),
)
def test_the_cuts_are_made_wherever_the_pieces_end(
    content: bytes, wanted: list[tuple[int, int, bytes]], size: int
) -> None:
    cuts: list[Cut] = []
    expected, told = b"", 0
    for one, other, record in sorted(wanted):
        start, end = min(one, other, len(content)), min(max(one, other), len(content))
        if start >= told and not (cuts and start == cuts[-1].start):
            cuts.append(Cut(start, end, record))
            expected, told = expected + content[told:start] + record, end
    expected += content[told:]
    assert b"".join(splice(pieces_of(content, size), cuts)) == expected
    assert len(content) + sum(cut.growth for cut in cuts) == len(expected)
