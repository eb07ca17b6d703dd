"""Marks, digests, keys, times, errors: the small values under a plan."""

import unicodedata
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import digest, errors, keys
from syncd.core.desired import Commit, sorted_pairs
from syncd.core.errors import Conflict, Kind, LeaseHeld, SettingsError, SyncdError
from syncd.core.lease import TABLE, Holder, LeaseEvent, LeaseState, holder_of, move
from syncd.core.mark import LOCK_FLAGS, SEMAPHORE_FLAGS, is_lock, is_mark, mark_of
from syncd.core.problems import Problem, TreeError
from syncd.core.timing import BACKOFF_LIMIT, Term, backoff
from tests.support.planning import want

pairs = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.binary(max_size=8))


class TestMark:
    def test_it_is_known_for_ever(self) -> None:
        """A change here would make every key in every store foreign."""
        assert mark_of("config/mordomo") == 0x15CD0 << 32 | int(sha256(b"config/mordomo").hexdigest()[:8], 16)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_it_survives_a_javascript_number_and_is_known_as_a_mark(self, source: str) -> None:
        mark = mark_of(source)
        assert mark < 2**53
        assert int(float(mark)) == mark
        assert is_mark(mark)
        assert not is_lock(mark)

    @pytest.mark.parametrize("flags", [0, 1, 42, 2**32, 2**53, LOCK_FLAGS, SEMAPHORE_FLAGS])
    def test_other_flags_are_no_mark(self, flags: int) -> None:
        assert not is_mark(flags)

    def test_two_sources_have_two_marks(self) -> None:
        assert mark_of("a") != mark_of("b")


class TestDigest:
    @given(pairs, pairs)
    def test_it_is_kept_up_by_what_changed(self, old: dict[str, bytes], new: dict[str, bytes]) -> None:
        kept = digest.subtract(digest.add(0, old.items()), old.items() - new.items())
        assert digest.add(kept, new.items() - old.items()) == digest.add(0, new.items())

    @given(pairs)
    def test_the_order_does_not_matter(self, given_pairs: dict[str, bytes]) -> None:
        assert digest.add(0, given_pairs.items()) == digest.add(0, reversed(given_pairs.items()))

    def test_a_key_and_its_value_do_not_run_together(self) -> None:
        assert digest.pair_digest("a", b"bc") != digest.pair_digest("ab", b"c")

    def test_it_is_shown_as_64_digits(self) -> None:
        assert digest.render(digest.add(0, [("a", b"1")])) == f"{digest.pair_digest('a', b'1'):064x}"
        assert digest.render(0) == "0" * 64

    def test_a_secret_is_shown_by_a_short_hash(self) -> None:
        assert digest.shown_hash(b"s3cret") == "sha256:" + sha256(b"s3cret").hexdigest()[:12]
        assert digest.value_hash(b"s3cret") == sha256(b"s3cret").digest() == want("s3cret").hash


class TestKeys:
    def test_own_keys_stand_under_the_prefix(self) -> None:
        assert keys.record_key("config/mordomo") == "config/mordomo/.syncd/revision"
        assert keys.lease_key("config/mordomo") == "config/mordomo/.syncd/lease"

    def test_the_root_has_no_prefix(self) -> None:
        assert (keys.join("", "a/b"), keys.own_prefix("")) == ("a/b", "")
        assert (keys.join("config", "a/b"), keys.own_prefix("config")) == ("config/a/b", "config/")

    @pytest.mark.parametrize(
        ("key", "reserved"),
        [
            ("config/.syncd/lease", True),
            ("config/.syncd2/lease", False),
            ("config/a/.syncd/x", False),
            ("other", False),
        ],
    )
    def test_own_keys_are_told_from_configuration(self, key: str, reserved: bool) -> None:
        assert keys.is_reserved("config", key) is reserved

    @pytest.mark.parametrize(
        ("segment", "fault"),
        [
            ("model", None),
            ("a b", None),
            ("...", None),
            ("日本", None),
            ("é", None),
            ("", "an empty segment"),
            (".", "the segment '.'"),
            ("..", "the segment '..'"),
            (".syncd", "the segment '.syncd', which syncd keeps for itself"),
            ("a\nb", "a control character"),
            ("\x7f", "a control character"),
            ("é\x85", "a control character"),
            ("a\u200bb", "a control character"),
            ("a\u2028b", "a control character"),
            ("\ud800", "a control character"),
            (unicodedata.normalize("NFD", "é"), "text that is not in Unicode's NFC form"),
        ],
    )
    def test_what_may_be_a_segment(self, segment: str, fault: str | None) -> None:
        assert keys.segment_fault(segment) == fault

    @pytest.mark.parametrize(
        ("key", "portable"), [("a/B_1,-.x", True), ("a b", False), ("é", False), ("a\n", False), ("a:b", False)]
    )
    def test_what_every_consul_takes(self, key: str, portable: bool) -> None:
        assert keys.is_portable(key) is portable


class TestTiming:
    @given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0.1, 60))
    def test_a_wait_is_between_half_and_all_of_its_step(self, attempt: int, draw: float, limit: float) -> None:
        wait = backoff(attempt, draw, limit=limit)
        ceiling = min(limit, 0.1 * 2.0 ** min(attempt - 1, 30))
        assert ceiling / 2 <= wait <= ceiling

    def test_waits_double_up_to_the_limit(self) -> None:
        assert [backoff(attempt, 0.0) for attempt in (1, 2, 3)] == [0.05, 0.1, 0.2]
        assert backoff(1_000, 0.0) == BACKOFF_LIMIT / 2

    def test_a_term_ends_one_time_to_live_after_the_renewal_was_sent(self) -> None:
        term = Term(sent=100.0, ttl=15.0)
        assert term.holds(100.0)
        assert term.holds(114.9)
        assert not term.holds(115.0)


class TestLease:
    def test_no_sequence_leaves_the_table(self) -> None:
        assert set(TABLE) == set(LeaseState)
        for moves in TABLE.values():
            assert set(moves.values()) <= set(LeaseState)

    def test_only_the_store_gives_the_right_to_write(self) -> None:
        into = {event for moves in TABLE.values() for event, state in moves.items() if state is LeaseState.LEADING}
        assert into == {LeaseEvent.ACQUIRED, LeaseEvent.RENEWED}
        assert move(LeaseState.STANDBY, LeaseEvent.RENEWED) is LeaseState.STANDBY

    def test_an_impossible_move_is_a_fault(self) -> None:
        with pytest.raises(KeyError):
            move(LeaseState.IDLE, LeaseEvent.ACQUIRED)

    @pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"holder":"\xff","since":1}', b"[" * 5_000])
    def test_whatever_stands_at_the_lease_can_be_named(self, value: bytes) -> None:
        assert holder_of(value) == "somebody who left no name"

    def test_the_holder_is_named(self) -> None:
        assert holder_of(b'{"holder":"ana@host","since":1}') == Holder("ana@host", 1).holder


class TestErrors:
    def test_an_error_says_where_what_and_what_to_do(self) -> None:
        assert str(SyncdError("it broke", where="a.yaml:1:2", hint="mend it")) == "a.yaml:1:2: it broke (mend it)"
        assert str(SyncdError("it broke")) == "it broke"

    def test_settings_name_every_problem(self) -> None:
        error = SettingsError(("one", "two"), hint="look")
        assert (str(error), error.problems, error.exit_code) == ("one\ntwo (look)", ("one", "two"), 64)

    def test_a_conflict_keeps_the_stores_words(self) -> None:
        assert Conflict("no", failures=('failed to set key "k", index is stale',)).failures[0].endswith("stale")

    def test_a_held_lease_names_its_holder(self) -> None:
        error = LeaseHeld("ana@host", hint="wait")
        assert (error.holder, error.exit_code, error.kind) == ("ana@host", 3, Kind.RETRY)

    def test_every_error_has_a_kind_and_an_exit_code_of_the_contract(self) -> None:
        tree = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, SyncdError)]
        assert {error.exit_code for error in tree} <= {1, 3, 64, 75}
        assert all((error.exit_code == 75) <= (error.kind is Kind.RETRY) for error in tree)

    def test_an_invalid_tree_shows_its_first_error_and_counts_the_rest(self) -> None:
        first = Problem("error", "duplicate-key", "a.yaml", 3, 5, "twice", hint="remove one")
        assert str(TreeError((first,))) == "a.yaml:3:5: twice (remove one)"
        error = TreeError((first, Problem("error", "empty", "b.yaml", 0, 0, "bad file")), commit="b" * 40)
        assert str(error) == "a.yaml:3:5: twice (and 1 more) (remove one)"
        assert [problem.where for problem in error.problems] == ["a.yaml:3:5", "b.yaml"]
        assert (error.commit, error.exit_code) == ("b" * 40, 65)


def test_a_commit_is_shown_by_seven_digits_and_a_plus_for_uncommitted_edits() -> None:
    assert Commit("0123456789").short == "0123456"
    assert Commit("0123456789", worktree=True).short == "0123456+"


def test_pairs_are_listed_as_the_store_lists_them() -> None:
    found = {key: want("v") for key in ("é", "z", "a")}
    assert [key for key, _ in sorted_pairs(found)] == ["a", "z", "é"]
