"""Few watches over many keys."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.core import shards
from syncd.core.shards import WHOLE, Cover, Shard, cut, is_crowded, is_watchable, span

MOST = 48
segments = st.text(st.sampled_from(["a", "b", "c", ".", "é", "本", "😀"]), min_size=0, max_size=4)
names = st.lists(segments, min_size=1, max_size=3).map("/".join).filter(bool)


def skewed() -> list[str]:
    """One folder with nine keys of ten, as few prefixes would never cut it."""
    large = [f"large/service_{n // 100}/key_{n % 100}" for n in range(9_000)]
    return sorted(large + [f"small_{n % 20}/key_{n}" for n in range(1_000)])


def holders(cover: tuple[Shard, ...], key: str) -> list[Shard]:
    return [shard for shard in cover if shard.holds(key)]


def test_a_small_tree_needs_one_watch() -> None:
    assert cut([f"k{number}" for number in range(shards.WHOLE_UP_TO)], MOST) == (WHOLE,)


def test_a_large_folder_is_cut_inside() -> None:
    keys = skewed()
    cover = cut(keys, MOST)
    assert 10 < len(cover) <= MOST
    assert Cover(cover).heaviest(keys) <= 1_200
    assert all(len(holders(cover, key)) == 1 for key in keys)


def test_the_heaviest_shard_gets_lighter_with_more_watches() -> None:
    keys = skewed()
    heaviest = [Cover(cut(keys, most)).heaviest(keys) for most in (1, 12, 30, 60)]
    assert heaviest == sorted(heaviest, reverse=True)
    assert heaviest[0] == len(keys)
    assert heaviest[-1] < len(keys) / 8


def test_a_key_beside_keys_below_it_is_watched_alone() -> None:
    keys = sorted(["brain", *(f"brain/k{number:04}" for number in range(3_000))])
    cover = cut(keys, MOST)
    assert Shard("brain", exact=True) in cover
    assert all(len(holders(cover, key)) == 1 for key in keys)


@pytest.mark.parametrize("prefix", ["x/.", "x/..", "./x", "a//", "/", "a//b", "x/../y", "a\ufffd"])
def test_what_consul_would_redirect_or_not_find_is_never_watched(prefix: str) -> None:
    assert not is_watchable(prefix)


@pytest.mark.parametrize("prefix", ["", "x/", "x/.a", "x/...", "a%2Fb", "é"])
def test_what_consul_takes_as_it_is_can_be_watched(prefix: str) -> None:
    assert is_watchable(prefix)


def test_hidden_names_are_cut_behind_the_dot() -> None:
    keys = sorted(f"x/.{char}{number:04}" for char in "ab" for number in range(1_500))
    assert {shard.prefix[:4] for shard in cut(keys, MOST)} == {"x/.a", "x/.b"}


def test_a_hidden_name_beside_others_is_watched_from_its_first_letter_on() -> None:
    keys = sorted(["x/.hidden", *(f"x/k{number:04}" for number in range(3_000))])
    cover = cut(keys, MOST)
    assert Shard("x/.h") in cover
    assert Cover(cover).missing(keys) == []


def test_keys_that_no_watch_could_tell_apart_stay_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "WHOLE_UP_TO", 0)
    monkeypatch.setattr(shards, "FINEST", 1)
    assert cut(["a//", "a//bb", "a//bc", "b"], MOST) == (Shard("a"), Shard("b"))


def test_a_new_key_gets_the_widest_shard_that_crosses_no_other() -> None:
    cover = Cover((Shard("ab"), Shard("b/")))
    assert cover.find("c/1") is None
    assert [cover.extend(key) for key in ("c/1", "ac/1", "b")] == [Shard("c"), Shard("ac"), Shard("b", exact=True)]
    assert list(cover) == [Shard("ab"), Shard("ac"), Shard("b", exact=True), Shard("b/"), Shard("c")]
    assert [cover.find(key) for key in ("ac/2", "b", "b/2")] == [Shard("ac"), Shard("b", exact=True), Shard("b/")]


def test_a_key_that_no_watch_can_hold_gets_no_shard() -> None:
    cover = Cover(())
    assert cover.extend("./x") is None
    assert len(cover) == 0


def test_what_a_given_up_shard_held_is_in_none() -> None:
    cover = Cover((Shard("a"), Shard("b")))
    cover.remove(Shard("a"))
    assert cover.find("a/1") is None
    assert cover.find("b/1") == Shard("b")


@given(st.sets(names, min_size=1, max_size=300), st.integers(1, 60))
def test_every_key_that_can_be_watched_is_in_exactly_one_shard(found: set[str], most: int) -> None:
    keys = sorted(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "WHOLE_UP_TO", 0)
        patch.setattr(shards, "FINEST", 1)
        cover = cut(keys, most)
    assert 0 < len(cover) <= most
    assert all(is_watchable(shard.prefix) for shard in cover)
    for key in keys:
        held = holders(cover, key)
        assert len(held) == 1 if is_watchable(key) else len(held) <= 1
        assert Cover(cover).find(key) == (held[0] if held else None)
    assert Cover(cover).missing(keys) == [key for key in keys if not holders(cover, key)]
    for shard in cover:
        low, high = span(keys, shard)
        assert keys[low:high] == [key for key in keys if shard.holds(key)]
        assert high > low, "an empty shard would wake on its neighbours' writes"


@given(st.lists(names, max_size=40), st.lists(names, max_size=10))
def test_a_key_that_no_shard_holds_gets_one_that_crosses_no_other(known: list[str], more: list[str]) -> None:
    cover = Cover(())
    for key in [*known, *more]:
        if cover.find(key) is None:
            added = cover.extend(key)
            assert added is not None or not is_watchable(key)
            assert cover.find(key) == added
    for key in {*known, *more}:
        assert len(holders(tuple(cover), key)) == 1 or not is_watchable(key)
    assert all(is_watchable(shard.prefix) for shard in cover)


@given(st.sets(names, min_size=1, max_size=40))
def test_a_shard_that_is_given_up_holds_nothing_any_more(found: set[str]) -> None:
    watchable = [key for key in found if is_watchable(key)]
    assume(watchable)
    cover = Cover(())
    for key in watchable:
        if cover.find(key) is None:
            cover.extend(key)
    shard = cover.find(watchable[0])
    assert shard is not None
    count = len(cover)
    cover.remove(shard)
    assert cover.find(watchable[0]) is None
    assert len(cover) == count - 1


def test_a_cover_is_whole_only_where_it_leaves_no_space() -> None:
    assert Cover((WHOLE,)).whole
    assert not Cover((Shard("a"),)).whole


def test_a_cover_is_crowded_once_a_new_cut_would_be_much_lighter() -> None:
    keys = skewed()
    assert is_crowded(Cover((WHOLE,)), keys, MOST)
    assert not is_crowded(Cover(cut(keys, MOST)), keys, MOST)
    assert not is_crowded(Cover((WHOLE,)), keys[:2_000], MOST)
