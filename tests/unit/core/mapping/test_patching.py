"""Live values go back into their files: just those scalars change, and what was written reads back exactly."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.desired import Policy
from syncd.core.mapping.patching import patch
from syncd.core.tree import parse_file

Edits = Mapping[str, bytes | None]

PLAIN = Policy()
INDEX = Policy(lists="index")


def values(path: str, content: bytes, policy: Policy = PLAIN) -> dict[str, bytes]:
    file = parse_file(path, content, policy, "")
    assert not [problem for problem in file.problems if problem.severity == "error"], file.problems
    return {key: said.value for key, said in file.keys.items()}


def patched(text: str, edits: Mapping[str, str | bytes | None], path: str = "f.yaml", policy: Policy = PLAIN) -> str:
    """Patch a file; see that nothing was refused and that it gives what was wanted."""
    wanted = {key: value.encode() if isinstance(value, str) else value for key, value in edits.items()}
    content, refused = patch(path, text.encode(), policy, wanted)
    assert refused == {}
    assert content is not None
    expected = {**values(path, text.encode(), policy), **wanted}
    assert values(path, content, policy) == {key: value for key, value in expected.items() if value is not None}
    return content.decode()


def refusal(text: str, edits: Edits, path: str = "f.yaml", policy: Policy = PLAIN) -> Mapping[str, str]:
    """Patch a file; see that nothing was changed and return the reasons."""
    content, refused = patch(path, text.encode(), policy, edits)
    assert content == text.encode()
    return refused


# -- one scalar


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a: 0.7   # why", "0.70", "a: 0.70   # why"),
        ("a: x", "two words", "a: two words"),
        ("a: x", "no: map", 'a: "no: map"'),
        ("a: x  # why", "x # y", 'a: "x # y"  # why'),
        ("a: x", "null", 'a: "null"'),
        ("a: x", "", 'a: ""'),
        ("a: x", "*star", 'a: "*star"'),
        ("a: x", "caf\u00e9 \U0001f600", "a: caf\u00e9 \U0001f600"),
        ("a: x", "x\nz: 1", "a: |-\n  x\n  z: 1"),
        ("a: x  # why", "x\ny\n", 'a: "x\\ny\\n"  # why'),
        ("a: 'x'", "it's", "a: 'it''s'"),
        ("a: 'x'", "x\ty\n", 'a: "x\\ty\\n"'),
        ('a: "x"', 'say "hi"', 'a: "say \\"hi\\""'),
        ("a: x", b"\xff\x00", "a: !!binary /wA="),
        ("a: !!binary AAE=", "text", "a: !!binary dGV4dA=="),
        ("a: !!binary 'AAE='", "text", 'a: !!binary "dGV4dA=="'),
        ("a: !!binary |\n  AAE=", b"\x00", "a: !!binary |\n  AA=="),
        ("a: !!int 5", "6", "a: !!int 6"),
        ("a: !!int 5", "six", "a: six"),
        ("a: !!str # why\n  x", "y", "a: !!str # why\n  y"),
        ("a: &anchor x", "y", "a: &anchor y"),
        ("a: &anchor !!int 5", "y", "a: &anchor y"),
        ("? a\n: x", "y", "? a\n: y"),
        ("a:\n  long text\n  in two lines", "short", "a:\n  short"),
        ("a: |  # why\n    one\n    two\n", "three\n\n  four\n", "a: |  # why\n    three\n\n      four\n"),
        ("a: |\n  one\n", "two", "a: |-\n  two\n"),
        ("a: |-\n  one\n\n", "two\n", "a: |\n  two\n\n"),
        ("a: |\n  one\n", "two\n\n", "a: |+\n  two\n\n"),
        ("a: |2\n   one\n", "two\n", "a: |\n   two\n"),
        ("a: |\n  one\n", "", 'a: ""\n'),
        ("a: |\n  one\n", " two\n", 'a: " two\\n"\n'),
        ("a: |  # why\n  one\n\n", "", 'a: ""  # why\n\n'),
        ("a: |  # why\n  one\n\n", b"\0", "a: !!binary AA==  # why\n\n"),
        ("a: >-\n  one\n  two three\n", "one two four five", "a: >-\n  one two\n  four five\n"),
        ("a: >\n  one\n", "two  three\nfour\n", "a: >\n  two  three\n\n  four\n"),
        ("a: >\n  one\n", "two\n  three\n", "a: |\n  two\n    three\n"),
    ],
)
def test_a_scalar_keeps_its_style_where_that_holds_the_value(before: str, value: str | bytes, after: str) -> None:
    rest = "z: 1  # stays\n"
    newline = "" if before.endswith("\n") else "\n"
    found = patched(before + newline + rest, {"f/a": value})
    assert found == after + ("" if after.endswith("\n") else "\n") + rest


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_a_byte_order_mark_and_a_missing_last_line_end_stay(line_end: str, start: str) -> None:
    text = f"{start}a: 1\nb: |\n  x\n\nc: 'y'\nd: z".replace("\n", line_end)
    found = patched(text, {"f/a": "one\ntwo", "f/b": "q\nr\n", "f/d": "s\nt\n"})
    expected = f"{start}a: |-\n  one\n  two\nb: |\n  q\n  r\n\nc: 'y'\nd: \"s\\nt\\n\""
    assert found == expected.replace("\n", line_end)


def test_what_stands_in_brackets_stays_there() -> None:
    assert patched("a: {b: x, c: [1, y]}  # why\n", {"f/a/b": "1, 2", "f/a/c": '[1,"a]"]'}) == (
        'a: {b: "1, 2", c: [1, "a]"]}  # why\n'
    )
    assert patched("a: {b: x, c: y}\n", {"f/a/b": "one\ntwo\n", "f/a/c": None}) == ('a: {b: "one\\ntwo\\n", c: null}\n')


def test_keys_with_slashes_and_lists_by_index_are_found() -> None:
    assert patched("a/b: 1\na:\n  c/d: 2\n", {"f/a/b": "3", "f/a/c/d": "4"}) == "a/b: 3\na:\n  c/d: 4\n"
    text = "l:\n- a\n- b: 1\n  c: 2\n- [x, y]\n"
    edits = {"f/l/0": "q", "f/l/1/b": None, "f/l/1/c": "s\nt\n", "f/l/2/1": None}
    after = "l:\n- q\n- b: null\n  c: |\n    s\n    t\n- [x, null]\n"
    assert patched(text, edits, policy=INDEX) == after


# -- deleted keys


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\nz: 2\n", "z: 2\n"),
        ("z: 2\na: 1\n", "z: 2\n"),
        ("z: 2\na: 1", "z: 2\n"),
        ("a: |\n  x\n\n# about z\nz: 1\n", "\n# about z\nz: 1\n"),
        ("a:\n- x\n- y: 1\n\nz: 1\n", "\nz: 1\n"),
        ("a: 1  # why\nz: 2\n", "a: null  # why\nz: 2\n"),
        ("# about a\na: 'x'\nz: 2\n", "# about a\na: null\nz: 2\n"),
        ("a: 1\n", "a: null\n"),
        ("{a: 1, z: 2}\n", "{a: null, z: 2}\n"),
        ("? a\n: 1\n", "? a\n: null\n"),
        ("# about a\na: |\n  x\n\nz: 1\n", "# about a\na: null\n\nz: 1\n"),
        ("a: >  # why\n  x\n\nz: 1\n", "a: null  # why\n\nz: 1\n"),
        ("# about a\na: !!int 5\nz: 1\n", "# about a\na: null\nz: 1\n"),
        ("# about a\na:\n- x\n- y\nz: 1\n", "# about a\na: null\nz: 1\n"),
        ("b: &b {x: &x 1}\na: &a 1\nz: *b\n", "b: &b {x: &x 1}\nz: *b\n"),
    ],
)
def test_a_deleted_key_loses_its_line_or_becomes_null(before: str, after: str) -> None:
    assert patched(before, {"f/a": None}) == after


def test_a_deleted_key_that_would_uncover_a_merged_one_becomes_null() -> None:
    text = "base: &base\n  t: 1\n  u: 2\nweb:\n  <<: *base\n  t: 3\n"
    assert patched(text, {"f/web/t": None}) == text.replace("t: 3", "t: null")


# -- lists and JSON


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a: [x, 'y', 7]  # why", '["x","z",8]', "a: [x, 'z', 8]  # why"),
        ("a: [x, 7]", '["7",true]', 'a: ["7", true]'),
        ("a: [0x1F, 0644]", "[31,643]", "a: [0x1F, 643]"),
        ("a: [x, y]", '["y"]', "a: [y]"),
        ("a: [x]", '["x","y","z"]', "a: [x, y, z]"),
        ("a: [x]", "[]", "a: []"),
        ("a: []", '["x"]', 'a: ["x"]'),
        ("a: [x, {b: 1}]", '["x",{"b":2}]', "a: [x, {b: 2}]"),
        ("a: [x, {b: 1}]", '["x",{"c":2}]', 'a: ["x",{"c":2}]'),
        ("a: [x, {b: 1}]", '["x","y"]', 'a: ["x","y"]'),
        ("a: [x]", '["x", "y"]', 'a: "[\\"x\\", \\"y\\"]"'),
        ("a: [x, y]", '[["x"],"y"]', 'a: [["x"],"y"]'),
        ("a: [x]", "plain", "a: plain"),
        ("a: [x]  # why", "two\nlines", 'a: "two\\nlines"  # why'),
        ("a: [x]", b"\xff", "a: !!binary /w=="),
        ("a:\n  - x  # first\n  - y", '["x","z"]', "a:\n  - x  # first\n  - z"),
        ("a:\n- x\n- y", '["x","q","y"]', "a:\n- x\n- q\n- y"),
        ("a:\n  - x", '["x","q"]', "a:\n  - x\n  - q"),
        ("a:\n  - b: 1\n  - c: 2", '[{"b":3},{"c":2}]', "a:\n  - b: 3\n  - c: 2"),
        ("a:\n  - b: 1", "[]", "a: []"),
        ("a:\n- b: 1", '[{"b":1},{"c":2}]', 'a: [{"b":1},{"c":2}]'),
        ("a:\n  - x", "plain", "a: plain"),
        ("a: # why\n  - x", "plain", "a: # why\n  plain"),
        ("a: !json\n  b: 1\n  c: [x]", '{"b":2,"c":["y"]}', "a: !json\n  b: 2\n  c: [y]"),
        ("a: !json\n  b: 1", '{"b":1,"c":2}', 'a: !json {"b":1,"c":2}'),
        ("a: !json {b: 1}", "plain", "a: plain"),
        ("a: [&x x, y]", '["x","y","z"]', "a: [&x x, y, z]"),
        ("a: [x, &y y]", '["x","y","z"]', "a: [x, &y y, z]"),
        ("a: !!seq [x]", '["y"]', "a: !!seq [y]"),
        ("a: [!!str 7]", "[8]", "a: [8]"),
    ],
)
def test_a_list_changes_where_it_differs_and_keeps_its_shape(before: str, value: str | bytes, after: str) -> None:
    assert patched(f"{before}\nz: 1\n", {"f/a": value}) == f"{after}\nz: 1\n"


def test_json_stays_json() -> None:
    text = '{\n  "a": {"b": "x", "n": 1.50, "t": true},\n  "l": [1, "2", {"k": null}]\n}\n'
    edits = {"f/a/b": 'q"\u00e9', "f/a/n": "2e3", "f/a/t": "yes", "f/l": '[1,"3",{"k":false}]'}
    after = text.replace('"x"', '"q\\"\u00e9"').replace("1.50", "2e3").replace("true", '"yes"')
    after = after.replace('"2"', '"3"').replace("null", "false")
    assert patched(text, edits, "f.json") == after
    assert patched(text, {"f/l": "[]", "f/a/b": None}, "f.json") == (
        '{\n  "a": {"b": null, "n": 1.50, "t": true},\n  "l": []\n}\n'
    )
    assert patched(text, {"f/l": "words"}, "f.json") == text.replace('[1, "2", {"k": null}]', '"words"')
    assert patched(text, {"f/l": None}, "f.json") == text.replace('[1, "2", {"k": null}]', "null")
    assert refusal(text, {"f/a/b": b"\xff", "f/a/n": b"\0"}, "f.json").keys() == {"f/a/b", "f/a/n"}


# -- what is refused


def test_a_value_that_other_keys_share_changes_for_all_of_them_or_not_at_all() -> None:
    text = "a: &a x\nb: *a\nbase: &base {t: 1}\nweb:\n  <<: *base\n"
    assert refusal(text, {"f/a": b"y", "f/web/t": b"2"}) == {
        "f/a": "what is written there gives f/b too",
        "f/web/t": "what is written there gives f/base/t too",
    }
    assert refusal(text, {"f/a": b"y", "f/b": b"z"}).keys() == {"f/a", "f/b"}
    assert patched(text, {"f/a": "y", "f/b": "y", "f/base/t": None, "f/web/t": None}) == (
        text.replace("&a x", "&a y").replace("t: 1", "t: null")
    )


def test_what_is_refused_keeps_nothing_else_back() -> None:
    text = "a: &a x\nl: [*a, y]\nm: [*a]\nb: 1\nc: 2\nd: 3\n"
    content, refused = patch("f.yaml", text.encode(), Policy(), {"f/a": b"q", "f/b": b"4", "f/c": None, "f/d": b"5"})
    assert content == b"a: &a x\nl: [*a, y]\nm: [*a]\nb: 4\nd: 5\n"
    assert list(refused) == ["f/a"]


def test_comments_inside_a_list_are_not_lost() -> None:
    text = "a:\n  - x\n  # about y\n  - y\nz: 1\n"
    assert refusal(text, {"f/a": b'["x"]'}).keys() == {"f/a"}
    assert refusal(text, {"f/a": None}).keys() == {"f/a"}


def test_a_list_whose_end_is_an_alias_is_changed_by_hand() -> None:
    text = "a: &a x\nl:\n- y\n- *a\nz: 1\n"
    assert refusal(text, {"f/l": b'["x","y","z"]'}).keys() == {"f/l"}
    assert refusal(text, {"f/l": None}).keys() == {"f/l"}


def test_a_whole_file_of_json_is_patched_inside() -> None:
    assert patched("!json\na: 1\nb: 2\n", {"f": '{"a":1,"b":3}'}) == "!json\na: 1\nb: 3\n"
    assert refusal("!json\na: 1\n", {"f": None}).keys() == {"f"}


def test_an_opaque_file_takes_the_value_whole() -> None:
    assert patch("a.txt", b"x\n", Policy(), {"a.txt": b"y"}) == (b"y", {})
    assert patch("a.yaml", b"x: 1", Policy(expand=False), {"a.yaml": None}) == (None, {})
    for old, new in ((b"x", b"\xff"), (b"\0", b"x")):
        content, refused = patch("a.txt", old, Policy(), {"a.txt": new})
        assert (content, list(refused)) == (old, ["a.txt"])


# -- any tree


class Entry(NamedTuple):
    """Lines of a file that give one key, or two."""

    text: str
    keys: tuple[str, ...]


WORDS = st.text(alphabet="ab1.-_/ ", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
LIVE = st.one_of(
    st.none(),
    TEXTS.map(str.encode),
    st.binary(max_size=6),
    st.lists(st.integers(0, 9) | st.booleans() | WORDS, max_size=3).map(
        lambda items: json.dumps(items, separators=(",", ":")).encode()
    ),
    st.sampled_from([b"", b"null", b"~", b"a: b", b"# x", b"- x", b"x\ny\n", b" x", b"x\n\n", b"'", b"a\r\nb", b"{}"]),
)


@st.composite
def entries(draw: st.DrawFn, name: str) -> Entry:
    comment = draw(st.sampled_from(["", "  # why", "   # a 'quote"]))
    text = draw(TEXTS.filter(lambda text: "\0" not in text))
    word = draw(st.sampled_from(["x", "two words", "7", "0x1F", "yes"]))
    quoted = json.dumps(text, ensure_ascii=True).replace("\\ud", "\\uD")
    encoded = b64encode(draw(st.binary(max_size=5))).decode()
    one = [
        f"{name}: {word}{comment}\n",
        f"{name}: 'it''s {word}'{comment}\n",
        f"{name}: |{comment}\n    {word}\n      more\n\n",
        f"{name}: >-{comment}\n  {word}\n  {word}\n",
        f"{name}: [{word}, 'b', 3]{comment}\n",
        f"{name}: []{comment}\n",
        f'{name}:\n  - {word}\n  - "b"\n',
        f"{name}:\n- {word}\n- c: 1\n  d: 2\n",
        f"{name}: !json {{x: {word}, y: [1]}}{comment}\n",
        f"{name}: !!str {word}{comment}\n",
        f'{name}: !!binary "{encoded}"{comment}\n',
        f"# about {name}\n{name}: {word}\n",
        f"? {name}\n: {word}{comment}\n",
    ]
    if "\\uD" not in quoted:
        one.append(f"{name}: {quoted}{comment}\n")
    two = [
        f"{name}:\n  a: {word}{comment}\n  b: 'x'\n",
        f'{name}: {{a: {word}, b: "x"}}{comment}\n',
        f"{name}/a: {word}\n{name}/b: 2\n",
    ]
    written = draw(st.sampled_from(one + two))
    return Entry(written, (f"f/{name}/a", f"f/{name}/b") if written in two else (f"f/{name}",))


FILES = st.integers(1, 6).flatmap(lambda count: st.tuples(*(entries(f"k{number}") for number in range(count))))


@given(FILES, st.data(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_live_edit_is_brought_into_any_file_and_other_lines_stay(
    file: tuple[Entry, ...], data: st.DataObject, line_end: str, last: bool
) -> None:
    texts = [entry.text.replace("\n", line_end) for entry in file]
    if not last:
        texts[-1] = texts[-1].rstrip()
    content = "".join(texts).encode()
    before = values("f.yaml", content)
    edits = data.draw(st.dictionaries(st.sampled_from(sorted(before)), LIVE, min_size=1))
    found, refused = patch("f.yaml", content, Policy(), edits)
    assert refused == {}
    assert found is not None
    expected = {key: value for key, value in {**before, **edits}.items() if value is not None}
    assert values("f.yaml", found) == expected
    position = 0
    for entry, text in zip(file, texts, strict=True):
        if not edits.keys() & set(entry.keys):
            position = found.decode().index(text, position) + len(text)


YAML_LIKE = st.text(alphabet="ab01:-?[]{}&*!|>'\"#<~ \n", max_size=40)


@given(
    st.lists(
        st.sampled_from(["a: &a x", "b: *a", "<<: {p: 1}", "c: [*a]", "d: !json {e: *a}"]) | YAML_LIKE, max_size=5
    ),
    st.data(),
    st.sampled_from([PLAIN, INDEX]),
)
def test_whatever_the_file_a_patch_gives_what_was_wanted_or_says_that_it_does_not(
    lines: list[str], data: st.DataObject, policy: Policy
) -> None:
    content = "\n".join(lines).encode()
    file = parse_file("f.yaml", content, policy, "")
    if not file.keys or any(problem.severity == "error" for problem in file.problems):
        return
    before = values("f.yaml", content, policy)
    edits = data.draw(st.dictionaries(st.sampled_from(sorted(before)), LIVE, min_size=1))
    found, refused = patch("f.yaml", content, policy, edits)
    assert found is not None
    done = {key: value for key, value in edits.items() if key not in refused}
    expected = {key: value for key, value in {**before, **done}.items() if value is not None}
    assert values("f.yaml", found, policy) == expected


DOCUMENTS = st.dictionaries(
    WORDS,
    st.recursive(
        TEXTS.filter(lambda text: "\0" not in text) | st.integers() | st.booleans() | st.none(),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), below),
        max_leaves=6,
    ),
    max_size=4,
)


@given(DOCUMENTS, st.data(), st.sampled_from([None, 1, 4]), st.booleans())
def test_any_text_is_brought_into_any_json_file(
    document: dict[str, object], data: st.DataObject, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    file = parse_file("f.json", content, Policy(), "")
    if not file.keys or any(problem.severity == "error" for problem in file.problems):
        return
    before = values("f.json", content)
    edits = data.draw(st.dictionaries(st.sampled_from(sorted(before)), LIVE, min_size=1))
    found, refused = patch("f.json", content, Policy(), edits)
    assert found is not None
    done = {key: value for key, value in edits.items() if key not in refused}
    expected = {key: value for key, value in {**before, **done}.items() if value is not None}
    assert values("f.json", found) == expected
    assert all(_unfit(edits[key] or b"") for key in refused)


def _unfit(value: bytes) -> bool:
    try:
        return "\0" in value.decode()
    except UnicodeDecodeError:
        return True
