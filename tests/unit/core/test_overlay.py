"""A mapping with a few changes on top."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.overlay import Overlay

KEYS = st.sampled_from("abcdefgh")
STEPS = st.lists(st.tuples(KEYS, st.none() | st.integers(1, 3)), max_size=6)


@given(below=st.dictionaries(KEYS | st.integers(0, 200).map(str), st.integers(1, 3)), layers=st.lists(STEPS))
def test_overlays_on_overlays_are_what_copies_would_be(
    below: dict[str, int], layers: list[list[tuple[str, int | None]]]
) -> None:
    pairs: list[tuple[dict[str, int] | Overlay[int], dict[str, int]]] = [(below, below.copy())]
    for steps in layers:
        overlay: Overlay[int] = Overlay.of(pairs[-1][0])
        copy = pairs[-1][1].copy()
        for key, value in steps:
            if value is not None:
                overlay[key] = copy[key] = value
            else:
                assert overlay.pop(key, None) == copy.pop(key, None)
        pairs.append((overlay, copy))
    for made, copy in pairs:  # at the end, so that later ones would be seen to reach into earlier ones
        assert made == copy
        assert len(made) == len(copy) == len(list(made))
        assert {key: made.get(key) for key in "abcdefgh"} == {key: copy.get(key) for key in "abcdefgh"}
        assert [key in made for key in "abcdefgh"] == [key in copy for key in "abcdefgh"]


def test_what_is_not_there_is_missing_as_in_any_mapping() -> None:
    overlay = Overlay.of({"a": 1, "b": 2})
    del overlay["a"]
    for key in ("a", "none"):
        assert overlay.get(key, 7) == 7
        with pytest.raises(KeyError, match=key):
            overlay[key]
        with pytest.raises(KeyError, match=key):
            del overlay[key]
