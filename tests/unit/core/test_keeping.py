"""Keeping drift: what is listed, what gets into a patch, and what is left out and why."""

from syncd.core.keeping import Keys, Patch, find_drift, make_patch, patchable
from syncd.core.rules import Rules
from syncd.core.tree import Sorted, Tree, build, parse_file
from tests.support.planning import based, have, want

ROOT = "config/mordomo"
NO_RULES = Rules()


def tree(files: dict[str, str], rules: Rules = NO_RULES) -> Tree:
    parsed = {path: parse_file(path, text.encode(), rules.policy(path), "") for path, text in files.items()}
    return build(rules, Sorted({}, frozenset(), ()), parsed)


def keys(files: dict[str, str]) -> Keys:
    return tree(files).desired.keys


def patch(applied: dict[str, str], tip: dict[str, str], live: dict[str, str], rules: Rules = NO_RULES) -> Patch:
    """Make a patch where the store holds what was applied, but for ``live``; "" stands for a missing key."""
    base, newest = tree(applied, rules).desired.keys, tree(tip, rules)
    held = {key: have(said.value.decode()) for key, said in base.items()} | {key: have(live[key]) for key in live}
    found = find_drift(base, {key: entry for key, entry in held.items() if live.get(key) != ""}, newest.desired.keys)
    contents = {path: text.encode() for path, text in tip.items() if path in patchable(found)}
    return make_patch(found, contents, newest, ROOT)


def reasons(made: Patch) -> dict[str, str]:
    return {left.drifted.key: left.why for left in made.left}


def test_a_foreign_key_and_a_lost_mark_are_no_drift() -> None:
    base = {"a": want("1"), "b": want("1"), "c": want("1")}
    live = {"a": have("1", 0), "b": have("2"), "theirs": have("3", 0)}
    assert [(each.key, each.said, each.live, each.tip) for each in find_drift(base, live, base)] == [
        ("b", b"1", b"2", "same"),
        ("c", b"1", None, "same"),
    ]


def test_the_place_is_that_of_the_newest_commit() -> None:
    applied, tip = keys({"a.yaml": "x: 1\n"}), keys({"a.yaml": "\n\nx: 1\n"})
    (found,) = find_drift(applied, {}, tip)
    assert found.place is not None
    assert found.place.line == 3
    (found,) = find_drift(applied, {}, None)
    assert found.place is not None
    assert (found.place.line, found.tip) == (1, "unknown")


def test_what_only_the_state_directory_knows_is_shown_where_the_newest_commit_says_the_same() -> None:
    base = {"same": based("1"), "other": based("1")}
    tip = {"same": want("1"), "other": want("2")}
    other, same = find_drift(base, {}, tip)
    assert (other.said, other.hash, other.tip) == (None, base["other"].hash, "other")
    assert (same.said, same.tip) == (b"1", "same")


def test_what_an_interrupted_apply_has_written_is_no_drift() -> None:
    base = {"written": want("1"), "deleted": want("1"), "edited": want("1"), "gone": want("1")}
    live = {"written": have("2"), "edited": have("by hand")}
    applying = {"written": want("2"), "edited": want("2"), "gone": want("1")}
    assert [each.key for each in find_drift(base, live, base, applying)] == ["edited", "gone"]


def test_files_are_patched_where_the_newest_commit_has_them() -> None:
    applied = {"a.yaml": "x: 1\ny: 2\n", "b.yaml": "z: 3\n", "same.yaml": "q: 1\n"}
    tip = applied | {"a.yaml": "# moved\nx: 1\ny: 2\n"}
    made = patch(applied, tip, {"a/x": "7", "a/y": "2", "b/z": "8", "same/q": "1"})
    assert made.left == ()
    assert made.text.decode() == (
        "diff --git a/config/mordomo/a.yaml b/config/mordomo/a.yaml\n"
        "--- a/config/mordomo/a.yaml\n+++ b/config/mordomo/a.yaml\n"
        "@@ -1,3 +1,3 @@\n # moved\n-x: 1\n+x: 7\n y: 2\n"
        "diff --git a/config/mordomo/b.yaml b/config/mordomo/b.yaml\n"
        "--- a/config/mordomo/b.yaml\n+++ b/config/mordomo/b.yaml\n"
        "@@ -1 +1 @@\n-z: 3\n+z: 8\n"
    )


def test_what_the_newest_commit_changed_itself_is_left_out() -> None:
    applied, tip = {"a.yaml": "x: 1\ny: 1\nz: 1\n"}, {"a.yaml": "x: 2\ny: 9\n"}
    made = patch(applied, tip, {"a/x": "5", "a/y": "9", "a/z": ""})
    assert made.text == b""
    assert reasons(made) == {
        "a/x": "the newest commit itself changes it",
        "a/y": "the newest commit says already what stands in the store",
        "a/z": "the newest commit says already what stands in the store",
    }


SECRET_TOKEN = Rules.parse(b"rules: [{match: a.yaml, secret: [a/token]}]", None)


def test_a_secret_never_gets_into_a_patch() -> None:
    files = {"a.yaml": "x: 1\ny: 2\ntoken: s3cret\n"}
    made = patch(files, files, {"a/x": "2", "a/token": "hunter2"}, SECRET_TOKEN)
    assert reasons(made) == {"a/token": "its value is secret, and a patch would show it"}
    assert made.text.endswith(b"@@ -1,2 +1,2 @@\n-x: 1\n+x: 2\n y: 2\n"), "with less context than usual"


def test_a_change_on_the_line_beside_a_secret_is_left_out_and_others_are_not() -> None:
    files = {"a.yaml": "x: 1\ntoken: |\n  s3cret\n  s4cret\ny: 2\nz: 3\n# end\n"}
    made = patch(files, files, {"a/x": "5", "a/y": "6", "a/z": "7"}, SECRET_TOKEN)
    why = "a secret stands beside it, and the lines around a change would show it"
    assert reasons(made) == {"a/x": why, "a/y": why}
    assert made.text.endswith(b"@@ -5,3 +5,3 @@\n y: 2\n-z: 3\n+z: 7\n # end\n")


def test_a_file_whose_lines_git_counts_otherwise_shows_nothing_where_it_holds_a_secret() -> None:
    files = {"a.yaml": "x: 1\ry: 1\n# far\n# away\ntoken: s3cret\n"}
    assert reasons(patch(files, files, {"a/x": "5"}, SECRET_TOKEN)).keys() == {"a/x"}
    assert reasons(patch(files, files, {"a/x": "5"})) == {}


def test_what_cannot_be_written_back_is_left_out() -> None:
    files = {"a.yaml": "x: &x 1\ny: *x\n"}
    assert reasons(patch(files, files, {"a/x": "2"})) == {"a/x": "what is written there gives a/y too"}
