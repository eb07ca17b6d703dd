"""A whole tree, put together at once and step by step."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.desired import DesiredKey, Policy
from syncd.core.digest import add
from syncd.core.problems import TreeError
from syncd.core.rules import Rules
from syncd.core.tree import ParsedFile, Sorted, Tree, TreeEntry, Update, build, parse_file, sort_out, update

Files = Mapping[str, bytes]

NO_RULES = Rules()


def entries(files: Files) -> list[TreeEntry]:
    return [TreeEntry(path.encode(), "file", f"{hash(content)}") for path, content in files.items()]


def parse(found: Sorted, files: Files, rules: Rules) -> dict[str, ParsedFile]:
    return {path: parse_file(path, files[path], rules.policy(path), "p") for path in found.files}


def tree_of(files: Files, rules: Rules = NO_RULES) -> Tree:
    found = sort_out(entries(files), rules)
    return build(rules, found, parse(found, files, rules))


def step(tree: Tree, before: Files, after: Files) -> Update:
    changed = {path: content for path, content in after.items() if before.get(path) != content}
    found = sort_out(entries(changed), tree.rules)
    return update(tree, frozenset(before.keys() - after.keys()), found, parse(found, after, tree.rules))


def values(tree: Tree) -> dict[str, bytes]:
    return {key: said.value for key, said in tree.desired.keys.items()}


def problems(files: Files, rules: Rules = NO_RULES) -> list[str]:
    with pytest.raises(TreeError) as error:
        tree_of(files, rules)
    return [f"{problem.where}: {problem.message}" for problem in error.value.problems]


# Which files count.


def test_dotfiles_and_markdown_are_left_out_at_any_depth() -> None:
    names = (".git/x", "a/.hidden.yaml", ".syncd.yaml", ".syncdignore", "README.md", "a/b.md", "a/b.md/c.yaml", "MD.MD")
    found = sort_out([TreeEntry(name.encode(), "file", "") for name in names], Rules())
    assert set(found.files) == {"a/b.md/c.yaml", "MD.MD"}
    assert not found.problems


def test_what_is_ignored_is_remembered_and_may_be_anything() -> None:
    rules = Rules.parse(None, b"/drafts/\n*.lnk\n")
    links = [TreeEntry(b"drafts/a.yaml", "file", ""), TreeEntry(b"x.lnk", "symlink", "")]
    assert sort_out(links, rules) == Sorted({}, frozenset(("drafts/a.yaml", "x.lnk")), ())


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        (b"a.yaml", "symlink", "a.yaml: a symbolic link is not followed"),
        (b"module", "submodule", "module: a submodule is not followed"),
        (b"pipe", "special", "pipe: a device, pipe or socket is not followed"),
        (b".syncd.yaml", "symlink", ".syncd.yaml: syncd's own rules in a symbolic link"),
        (b"a\nb.yaml", "file", "a\\nb.yaml: the file's name holds a control character"),
        (b"a\xffb.yaml", "file", "a\\xffb.yaml: the file's name is not UTF-8"),
        ("a\u202eb.txt".encode(), "file", "a\\u202eb.txt: the file's name holds a control character"),
    ],
)
def test_what_cannot_be_read_as_a_file_is_an_error(path: bytes, kind: str, expected: str) -> None:
    found = sort_out([TreeEntry(path, kind, "")], Rules())  # type: ignore[arg-type]  # the table is of plain text
    assert [f"{problem.where}: {problem.message}" for problem in found.problems] == [expected]
    with pytest.raises(TreeError):
        build(Rules(), found, {})


def test_links_that_are_left_out_anyway_are_no_error() -> None:
    found = sort_out([TreeEntry(b"README.md", "symlink", ""), TreeEntry(b".x", "submodule", "")], Rules())
    assert found == Sorted({}, frozenset(), ())


def test_rules_below_the_root_are_a_warning() -> None:
    tree = tree_of({"a/.syncd.yaml": b"", "b/.syncdignore": b""})
    assert [f"{w.severity} {w.code} {w.where}" for w in tree.warnings] == [
        "warning misplaced-rules a/.syncd.yaml",
        "warning misplaced-rules b/.syncdignore",
    ]


def test_a_leading_dash_is_an_ordinary_name() -> None:
    assert values(tree_of({"-x.yaml": b"a: 1"})) == {"-x/a": b"1"}


# What they yield together.


def test_only_known_extensions_are_expanded_and_their_case_counts() -> None:
    files = {
        "a.yaml": b"k: 1",
        "b.yml": b"k: 2",
        "c.json": b'{"k": 3}',
        "d/e.txt": b"\0\xff",
        "f.YAML": b"k: 1",
        "g": b"",
    }
    assert values(tree_of(files)) == {
        "a/k": b"1", "b/k": b"2", "c/k": b"3", "d/e.txt": b"\0\xff", "f.YAML": b"k: 1", "g": b"",
    }  # fmt: skip


def test_a_rule_makes_a_document_opaque() -> None:
    rules = Rules.parse(b"rules: [{match: '*.json', as: blob}]", None)
    assert values(tree_of({"a.json": b"{"}, rules)) == {"a.json": b"{"}


def test_lists_are_expanded_where_the_rules_say_so() -> None:
    rules = Rules.parse(b"rules: [{match: a.yaml, lists: index}]", None)
    file = b"l: [x, ~, {b: 1}, [y], !json [z], []]"
    tree = tree_of({"a.yaml": file}, rules)
    assert values(tree) == {"a/l/0": b"x", "a/l/2/b": b"1", "a/l/3/0": b"y", "a/l/4": b'["z"]'}
    assert [warning.code for warning in tree.warnings] == ["null"]
    assert problems({"a.yaml": b"l: [!x y, 1]"}, rules) == ["a.yaml:1:5: the tag means nothing here"]


def test_secrets_are_marked_and_their_lines_are_never_shown() -> None:
    rules = Rules.parse(b"rules: [{match: a.yaml, secret: [a/key, '*_token']}, {match: b.yaml, secret: true}]", None)
    tree = tree_of(
        {"a.yaml": b"key: 1\nx: 2\ny: {z_token: 3}\nn:", "b.yaml": b"k: 1\nn:", "c.yaml": b"k: 1\nn:"}, rules
    )
    assert {key for key, said in tree.desired.keys.items() if said.secret} == {"a/key", "a/y/z_token", "b/k"}
    assert [(warning.path, warning.snippet) for warning in tree.warnings] == [
        ("a.yaml", ""),
        ("b.yaml", ""),
        ("c.yaml", "n:"),
    ]


@pytest.mark.parametrize("glob", ["token", "a/users/token", "a/users/0/token", "a/users/*/token", "/a/users/0"])
def test_a_pattern_over_keys_reaches_into_lists_and_json(glob: str) -> None:
    rules = Rules.parse(f"rules: [{{match: a.yaml, secret: ['{glob}']}}]".encode(), None)
    lists = tree_of({"a.yaml": b"users: [{token: X}]\nnone: [{x: 1}]"}, rules)
    assert {key for key, said in lists.desired.keys.items() if said.secret} == {"a/users"}
    assert not lists.warnings
    whole = tree_of({"a.yaml": b"users: !json [{x: {}, token: X}, {x: 1}]\nm: !json {y: 1}"}, rules)
    assert {key for key, said in whole.desired.keys.items() if said.secret} == {"a/users"}


def test_a_list_in_lists_a_thousand_wide_is_asked_for_in_no_time() -> None:
    rules = Rules.parse(b"rules: [{match: a.yaml, secret: [z]}]", None)
    tree = tree_of({"a.yaml": b"l: " + b"[" * 60 + b"x" + b"]" * 60}, rules)
    assert not tree.desired.keys["a/l"].secret


def test_rules_that_are_for_nothing_are_warned_of_at_their_place() -> None:
    rules = b"""\
rules:
  - match: config/mordomo/brain.yaml
    secret: [api_key]
  - match: /brain.yaml
    secret: [config/mordomo/brain/api_key, api_key]
  - match: gone.yaml
    prune: false
"""
    before = {"brain.yaml": b"api_key: X"}
    tree = tree_of(before, Rules.parse(rules, None))
    assert [f"{warning.where}: {warning.message}" for warning in tree.warnings] == [
        ".syncd.yaml:2:12: no file matches 'config/mordomo/brain.yaml'",
        ".syncd.yaml:5:14: no key matches 'config/mordomo/brain/api_key', so it hides nothing",
    ]
    same = step(tree, before, before | {"other.yaml": b"x: 1"})
    assert same.tree.warnings == tree.warnings
    mended = step(tree, before, before | {"config/mordomo/brain.yaml": b"api_key: Y"})
    assert [warning.code for warning in mended.tree.warnings] == ["idle-secret"]


def test_a_snippet_keeps_its_columns_and_a_terminal_safe() -> None:
    (problem,) = parse_file("a.yaml", "ü:\t!x \x1b[31m".encode(), Policy(), "").problems
    assert (problem.code, problem.snippet) == ("bad-character", "ü: !x \ufffd[31m")
    (problem,) = parse_file("a.yaml", b"a: !x " + b"y" * 300, Policy(), "").problems
    assert problem.snippet == ""


def test_two_files_that_yield_one_key_are_both_named() -> None:
    assert problems({"brain.yaml": b"a: 1\nk: 1", "brain.json": b'{"k": 2}', "brain/k": b"3"}) == [
        "brain.yaml:2:1: the key 'brain/k' stands also at brain.json:1:2",
        "brain/k:1:1: the key 'brain/k' stands also at brain.yaml:2:1",
    ]


def test_every_error_of_a_tree_is_collected_in_the_order_of_places() -> None:
    assert problems({"b.yaml": b"a: !x 1\n..: 1", "a.yaml": b"a: [", "c.yaml": b"a: 1"}) == [
        "a.yaml:2:1: did not find expected node content while parsing a flow node",
        "b.yaml:1:4: the tag means nothing here",
        "b.yaml:2:1: the key '..' holds the segment '..'",
    ]


def test_the_digest_covers_every_pair() -> None:
    tree = tree_of({"a.yaml": b"b: 1\nc: 2"})
    assert tree.desired.digest == add(0, [("a/b", b"1"), ("a/c", b"2")])


# Keys that git no longer names.


def test_a_key_is_kept_for_the_file_that_said_it() -> None:
    rules = Rules.parse(b"rules: [{match: keep.yaml, prune: false}]", b"old.yaml\n")
    keeps = tree_of({"old.yaml": b"a: 1"}, rules).desired.keeps
    assert [keeps("x", path) for path in ("keep.yaml", "old.yaml", "gone.yaml")] == ["prune", "ignored", ""]


def test_a_key_without_a_known_file_is_kept_for_any_that_could_have_said_it() -> None:
    rules = Rules.parse(b"rules: [{match: /keep.yml, prune: false}]", b"/old.json\n/blob\n")
    keeps = tree_of({"old.json": b"", "blob": b""}, rules).desired.keeps
    keys = ("keep/a/b", "old/a", "blob", "keep.yml", "keeper/a", "a")
    assert [keeps(key, None) for key in keys] == ["prune", "ignored", "ignored", "prune", "", ""]


# Step by step.


def test_an_update_keeps_what_did_not_change() -> None:
    before = {"a.yaml": b"k: 1\nl: 2\nm: 3", "b.yaml": b"k: 1\nn:", "c.yaml": b"k: 1"}
    tree = tree_of(before)
    result = step(tree, before, {"a.yaml": b"l: 2\nk: 5\no: 1", "b.yaml": before["b.yaml"]})
    assert result.changed == {"a/k", "a/m", "a/o", "c/k"}
    assert result.tree.files["b.yaml"] is tree.files["b.yaml"]
    assert result.tree.warnings == tree.warnings
    assert values(tree) == {"a/k": b"1", "a/l": b"2", "a/m": b"3", "b/k": b"1", "c/k": b"1"}


def test_an_update_without_changes_is_the_same_tree() -> None:
    tree = tree_of({"a.yaml": b"k: 1"})
    assert step(tree, {"a.yaml": b"k: 1"}, {"a.yaml": b"k: 1"}).tree is tree


def test_a_key_that_moves_between_files_counts_as_changed() -> None:
    before = {"a.yaml": b"k: 1\nl: 1"}
    tree = tree_of(before)
    assert step(tree, before, {"a.yaml": b"\nl: 1\nk: 1"}).changed == frozenset()
    result = step(tree, before, {"a.yml": b"k: 1", "a": b"x"})
    assert result.changed == {"a/k", "a/l", "a"}
    assert result.tree.desired.digest == tree_of({"a.yml": b"k: 1", "a": b"x"}).desired.digest
    assert result.tree.desired.keys["a/k"].path == "a.yml"


def test_an_update_that_collides_with_an_untouched_file_is_refused() -> None:
    before = {"b/x": b"1"}
    with pytest.raises(TreeError, match=r"'b/x' stands also at b\.yaml:1:1"):
        step(tree_of(before), before, before | {"b.yaml": b"x: 1"})


def test_a_file_that_becomes_a_link_is_refused() -> None:
    tree = tree_of({"a.yaml": b"k: 1"})
    with pytest.raises(TreeError, match="symbolic link"):
        update(tree, frozenset(), sort_out([TreeEntry(b"a.yaml", "symlink", "")], tree.rules), {})


PATHS = st.sampled_from(("a.yaml", "a.yml", "a/b.yaml", "a/b", "c.json", "d", "x.ignored", "e.md", "a/.syncd.yaml"))
CONTENTS = st.sampled_from((b"", b"b: 1", b"b: 2\nc: 3", b"c: {d: 1}\nn:", b'{"c": "3"}', b"b: [", b"c:\n  d: 2"))
TREES = st.dictionaries(PATHS, CONTENTS, max_size=6)
RULES = Rules.parse(b"rules: [{match: 'a.y*', drift: report}]", b"*.ignored")


def state(tree: Tree) -> tuple[object, ...]:
    return (
        dict(tree.files),
        tree.ignored,
        dict(tree.desired.keys),
        tree.desired.digest,
        tree.desired.keeps,
        [warning for warning in tree.warnings if not warning.code.startswith("idle")],
    )


def said(key: DesiredKey) -> tuple[object, ...]:
    """All but the place in the file, which moves with every line above it."""
    return key.value, key.secret, key.policy, key.path


@given(TREES, TREES)
def test_an_update_equals_a_full_build(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    try:
        tree = tree_of(before, RULES)
    except TreeError:
        return
    try:
        whole = tree_of(after, RULES)
    except TreeError:
        with pytest.raises(TreeError):
            step(tree, before, after)
        return
    result = step(tree, before, after)
    assert state(result.tree) == state(whole)
    old, new = tree.desired.keys, whole.desired.keys
    assert result.changed == {
        key for key in old.keys() | new.keys() if key not in old or key not in new or said(old[key]) != said(new[key])
    }
