"""The corpus of bad inputs: each with its exact outcome."""

import pytest

from syncd.core.desired import Policy
from syncd.core.keys import MAX_VALUE_BYTES
from syncd.core.tree import MAX_FILE_BYTES, ParsedFile, parse_file, too_large

NFD = "e\u0301"


def outcome(data: bytes | str, path: str = "f.yaml", prefix: str = "p") -> ParsedFile:
    return parse_file(path, data if isinstance(data, bytes) else data.encode(), Policy(), prefix)


def places(file: ParsedFile) -> list[str]:
    return [f"{problem.severity} {problem.code} {problem.line}:{problem.column}" for problem in file.problems]


def values(file: ParsedFile) -> dict[str, str]:
    return {key: said.value.decode() for key, said in file.keys.items()}


# What is refused: each error with its line and column.
REFUSED: dict[str, tuple[bytes | str, str]] = {
    "a duplicate key": ("a: 1\nb: 2\na: 3\n", "duplicate-key 3:1"),
    "a duplicate key in JSON": ("x: [{a: 1, a: 2}]", "duplicate-key 1:12"),
    "a duplicate key of different types": ("1: a\n'1': b\n", "duplicate-key 2:1"),
    "two mappings under one key": ("a: {b: 1}\na: {c: 2}\n", "duplicate-key 2:1"),
    "two spellings of one key": ("a/b: 1\na: {b: 2}\n", "duplicate-key 2:5"),
    "a raw NUL": (b"a: 1\nb: x\0y\n", "nul 2:5"),
    "an escaped NUL": ('a: "x\\0y"', "nul 1:4"),
    "an escaped NUL in JSON": ('a: ["x\\0y"]', "nul 1:5"),
    "an escaped NUL in a key of JSON": ('a: [{"x\\0y": 1}]', "nul 1:6"),
    "a raw control character": ("a: 1\nb: é\x07\n", "bad-character 2:5"),
    "a byte order mark in the middle": ("a: 1\nb: x\ufeffy\n", "ambiguous-character 2:5"),
    "a byte order mark before a line": ("a: 1\n\ufeffb: 2\n", "ambiguous-character 2:1"),
    "a lone surrogate, escaped": ('a: "\\ud800"', "yaml-syntax 1:7"),
    "a lone surrogate, raw": (b"a: 1\nb: \xed\xa0\x80\n", "not-utf-8 2:4"),
    "a pair of surrogates, escaped": ('a: "\\ud83d\\ude00"', "yaml-syntax 1:7"),
    "invalid UTF-8": (b"a: 1\nb: x\xff\n", "not-utf-8 2:5"),
    "UTF-16, little endian": ("a: 1\n".encode("utf-16"), "not-utf-8 1:1"),
    "UTF-16, big endian": (b"\xfe\xff" + "a: 1\n".encode("utf-16-be"), "not-utf-8 1:1"),
    "UTF-16 without a mark": ("a: 1\n".encode("utf-16-le"), "nul 1:2"),
    "a next-line character": ("a: x\x85y\n", "ambiguous-character 1:5"),
    "a line separator": ("a: 1\n# x\u2028b: 2\n", "ambiguous-character 2:4"),
    "a paragraph separator": ("a: x\u2029y\n", "ambiguous-character 1:5"),
    "a tab as indentation": ("a:\n\tb: 1\n", "yaml-syntax 2:1"),
    "several documents": ("a: 1\n---\nb: 2\n", "several-documents 2:1"),
    "an empty document before another": ("---\n---\na: 1\n", "several-documents 2:1"),
    "text after the end of a document": ("a: 1\n...\nb: 2\n", "yaml-syntax 3:1"),
    "a scalar as root": ("just text\n", "not-a-mapping 1:1"),
    "a null as root": ("---\n~\n", "not-a-mapping 2:1"),
    "a list as root": ("# x\n- a\n", "not-a-mapping 2:1"),
    "a list as root, kept whole": ("!json\n- a\n", "not-a-mapping 1:1"),
    "a Python object": ("a: !!python/object/apply:os.system [id]", "unknown-tag 1:4"),
    "a Python name": ("a: !!python/name:os.system ''", "unknown-tag 1:4"),
    "an unknown tag on a scalar": ("a: !secret x", "unknown-tag 1:4"),
    "an unknown tag on a mapping": ("a: !x {b: 1}", "unknown-tag 1:4"),
    "an unknown tag in JSON": ("a: [!x {b: 1}]", "unknown-tag 1:5"),
    "an unknown tag on a list": ("a: !!set [b]", "unknown-tag 1:4"),
    "an unknown tag on a key": ("!x a: 1", "unknown-tag 1:1"),
    "!json on a scalar": ("a: !json x", "unknown-tag 1:4"),
    "!!map on a list": ("a: !!map [b]", "unknown-tag 1:4"),
    "!!seq on a mapping": ("a: !!seq {b: 1}", "unknown-tag 1:4"),
    "!!binary on a key": ("!!binary YQ==: 1", "unknown-tag 1:1"),
    "!!binary that is not base64": ("a: !!binary =x=", "bad-tag 1:4"),
    "!!binary in JSON": ("a: [!!binary YQ==]", "binary-in-json 1:5"),
    "!!int that is none": ("a: !!int 1.5", "bad-tag 1:4"),
    "!!float that is none": ("a: !!float x", "bad-tag 1:4"),
    "!!bool that is none": ("a: !!bool yes", "bad-tag 1:4"),
    "!!null that is none": ("a: !!null x", "bad-tag 1:4"),
    "!!timestamp that is none": ("a: !!timestamp noon", "bad-tag 1:4"),
    "an alias to itself": ("a: &x\n  b: *x\n", "self-reference 2:6"),
    "an alias to itself in a list": ("a: &x [1, [*x]]", "self-reference 1:12"),
    "an alias of nothing": ("a: *x", "undefined-alias 1:4"),
    "a complex key": ("? [a, b]\n: 1\n", "complex-key 1:3"),
    "a complex key in JSON": ("a: [{? [b] : 1}]", "complex-key 1:8"),
    "100,000 brackets": ("[" * 100_000, "too-deep 1:65"),
    "100,000 braces": ("{" * 100_000, "too-deep 1:65"),
    "100,000 dashes": ("- " * 100_000, "too-deep 1:129"),
    "levels by indentation": ("".join(f"{' ' * n}a:\n" for n in range(70)), "too-deep 65:65"),
    "merging text": ("a:\n  <<: text\n", "bad-merge 2:7"),
    "merging a list of text": ("a:\n  <<: [{b: 1}, text]\n", "bad-merge 2:16"),
    "merging something tagged": ("a:\n  <<: !json {b: 1}\n", "bad-merge 2:7"),
    "two merge keys": ("a:\n  <<: {b: 1}\n  <<: {c: 1}\n", "duplicate-key 3:3"),
    "a merged mapping with a duplicate": ("a:\n  <<: {b: 1, b: 2}\n", "duplicate-key 2:14"),
    "a merged complex key": ("a:\n  <<: {[b]: 1}\n", "complex-key 2:8"),
    ".inf in JSON": ("a: [-.inf]", "not-a-json-number 1:5"),
    ".nan in JSON": ("a: [.nan]", "not-a-json-number 1:5"),
    "a hexadecimal number of 2,000 digits in JSON": (f"a: [0x{'f' * 2000}]", "not-a-json-number 1:5"),
    "an anchor without an end": ("a: [", "yaml-syntax 2:1"),
    "an unknown directive's version": ("%YAML 3.0\n---\na: 1", "yaml-syntax 1:1"),
    # keys
    "..": ("'..': 1", "bad-key 1:1"),
    ".": ("a:\n  .: 1", "bad-key 2:3"),
    "an empty segment": ("a//b: 1", "bad-key 1:1"),
    "a leading slash": ("/a: 1", "bad-key 1:1"),
    "a trailing slash": ("a/: 1", "bad-key 1:1"),
    "an empty key": ("'': 1", "bad-key 1:1"),
    "no key at all": ("? \n: 1", "bad-key 1:2"),
    "the reserved segment": ("a/.syncd/lease: 1", "bad-key 1:1"),
    "a control character in a key": ('"a\\tb": 1', "bad-key 1:1"),
    "NUL in a key": ('"a\\0b": 1', "bad-key 1:1"),
    "U+202E in a key": ('"a\\u202eb": 1', "bad-key 1:1"),
    "a key that is not NFC": (f"{NFD}: 1", "bad-key 1:1"),
    "a key of 4 KB": (f"? {'k' * 4096}\n: 1", "key-too-long 1:3"),
    "a mapping's key of 4 KB": (f"? {'k' * 4096}\n: {{a: 1}}", "key-too-long 2:4"),
    "no key at all, on a line": (": 1", "yaml-syntax 1:1"),
    # values
    "a value over the limit": (f"a: {'v' * (MAX_VALUE_BYTES + 1)}", "value-too-large 1:1"),
    "JSON over the limit": (f"a: [{'v' * MAX_VALUE_BYTES}]", "value-too-large 1:5"),
}


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_represented_is_an_error_with_its_place(data: bytes | str, expected: str) -> None:
    file = outcome(data)
    assert [place for place in places(file) if place.startswith("error")] == [f"error {expected}"]


# What is taken as it is written.
TAKEN: dict[str, tuple[bytes | str, dict[str, str]]] = {
    "numbers keep their text": (
        "a: 0.70\nb: 0644\nc: 012\nd: 0x1F\ne: 1_000",
        {"a": "0.70", "b": "0644", "c": "012", "d": "0x1F", "e": "1_000"},
    ),
    "words that YAML 1.1 takes for booleans": (
        "a: no\nb: yes\nc: off\nd: True",
        {"a": "no", "b": "yes", "c": "off", "d": "True"},
    ),
    "times and dates": (
        "a: 1:30\nb: 2026-11-24\nc: 2026-11-24T01:02:03Z",
        {"a": "1:30", "b": "2026-11-24", "c": "2026-11-24T01:02:03Z"},
    ),
    "a number of 5,000 digits": (f"a: {'9' * 5000}", {"a": "9" * 5000}),
    "a number of 5,000 digits in JSON": (f"a: [{'9' * 5000}]", {"a": f"[{'9' * 5000}]"}),
    "what is no number": ("a: .nan\nb: -.inf", {"a": ".nan", "b": "-.inf"}),
    "keys of other types": ("yes: 1\n2026-01-01: 2\n7: 3", {"yes": "1", "2026-01-01": "2", "7": "3"}),
    "a key that looks like null": ("null: 1\n'<<': 2", {"null": "1", "<<": "2"}),
    "a key with a harmless tag": ("!!str a: 1\n!!int 7: 2\n! '<<': 3", {"a": "1", "7": "2", "<<": "3"}),
    "a byte order mark": ("\ufeffa: 1", {"a": "1"}),
    "CRLF": ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": "1", "b": "x\ny\n"}),
    "CRLF in a value": ('a: "x\\r\\ny"', {"a": "x\r\ny"}),
    "control characters, escaped": ('a: "\\a\\e\\x7f"', {"a": "\a\x1b\x7f"}),
    "separators, escaped": ('a: "x\\N\\L\\Py"', {"a": "x\x85\u2028\u2029y"}),
    "an empty value": ("a: ''\nb: \"\"", {"a": "", "b": ""}),
    "markup and templates": ("a: <script>\nb: ${x}\nc: '{{ y }}'", {"a": "<script>", "b": "${x}", "c": "{{ y }}"}),
    "a key beside keys below it": ("a: 1\na/b: 2", {"a": "1", "a/b": "2"}),
    "keys that differ in case only": ("A: 1\na: 2", {"A": "1", "a": "2"}),
    "encoded dots and slashes": ("'%2e%2e': 1\na%2Fb: 2", {"%2e%2e": "1", "a%2Fb": "2"}),
    "an explicit document": ("%YAML 1.2\n---\na: 1\n...\n", {"a": "1"}),
    "empty collections": ("a: []\nb: {}\nc: !json {}", {"a": "[]", "c": "{}"}),
    "standard tags": (
        "a: !!str ~\nb: !!int '7'\nc: !!float 1e3\nd: !!bool true\ne: !!timestamp 2026-01-01\nf: ! null\ng: !!str",
        {"a": "~", "b": "7", "c": "1e3", "d": "true", "e": "2026-01-01", "f": "null", "g": ""},
    ),
    "tags on collections": ("a: !!map {b: !!seq [1]}\nc: ! {d: 1}", {"a/b": "[1]", "c/d": "1"}),
    "bytes": ("a: !!binary |\n  aGVs\n  bG8=\n", {"a": "hello"}),
    "an anchor used again": ("a: &x 1\nb: &x 2\nc: *x", {"a": "1", "b": "2", "c": "2"}),
    "an alias as key": ("a: &x k\n*x : 1", {"a": "k", "k": "1"}),
    "the longest value": (f"a: {'v' * MAX_VALUE_BYTES}", {"a": "v" * MAX_VALUE_BYTES}),
    "64 values of 8 KB": (
        "".join(f"k{n}: {'v' * 8192}\n" for n in range(64)),
        {f"k{n}": "v" * 8192 for n in range(64)},
    ),
    "50,000 keys": ("".join(f"k{n}: v\n" for n in range(50_000)), {f"k{n}": "v" for n in range(50_000)}),
    "64 levels": ("".join(f"{' ' * n}a:\n" for n in range(63)) + f"{' ' * 63}a: x\n", {"/".join("a" * 64): "x"}),
}


@pytest.mark.parametrize(("data", "expected"), TAKEN.values(), ids=TAKEN.keys())
def test_what_is_written_is_what_is_read(data: bytes | str, expected: dict[str, str]) -> None:
    file = outcome(data)
    assert values(file) == {f"f/{key}": value for key, value in expected.items()}
    assert not [place for place in places(file) if place.startswith("error")]


def test_a_file_kept_whole_becomes_one_key_without_its_extension() -> None:
    assert values(outcome("!json\nz: 1\na: {b: [c]}\n", "d/f.yaml")) == {"d/f": '{"z":1,"a":{"b":["c"]}}'}


def test_a_place_is_that_of_the_key_or_of_the_item() -> None:
    merged = "base: &b\n  x: 1\nweb:\n  <<: *b\n  y: |\n    text\nz: *b\n"
    keys = outcome(merged).keys
    assert {key: (said.line, said.column) for key, said in keys.items()} == {
        "f/base/x": (2, 3),
        "f/web/x": (2, 3),
        "f/web/y": (5, 3),
        "f/z/x": (2, 3),
    }


def test_all_limits_together_stay_within_the_interpreters_stack() -> None:
    chain = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 64))
    nested = "deep: " + "{a: " * 62 + "[" + "".join(f"{{<<: *a63, l{n}: " for n in range(1)) + "1}]" + "}" * 62
    more = "".join(f"n{n}: &n{n} {{y: {'{y: ' * 60}{f'*n{n - 1}' if n else '[*a63]'}{'}' * 60}}}\n" for n in range(3))
    file = outcome(f"{chain}{nested}\n{more}", prefix="")
    assert {problem.code for problem in file.problems} == {"too-deep"}


# JSON text: the notation of YAML 1.2's core schema, turned into JSON's.
JSON: dict[str, str] = {
    "[1, -2, 1.50, 1E3, -0]": "[1,-2,1.50,1E3,-0]",
    "[+1, .5, -.5, 5., 1.e2, +.5e-3]": "[1,0.5,-0.5,5.0,1.0e2,0.5e-3]",
    "[0x1F, 0o17, 0x0]": "[31,15,0]",
    "[0644, -007, 00.50, 00]": "[644,-7,0.50,0]",
    "[true, True, FALSE, yes, no, on]": '[true,true,false,"yes","no","on"]',
    "[null, ~, Null, '', ]": '[null,null,null,""]',
    "[2026-01-01, 1:30, 1_000, 0b1, 0xg, -0x1]": '["2026-01-01","1:30","1_000","0b1","0xg","-0x1"]',
    "['1', \"true\", ! 12, !!str null, !!int '7', !!bool 'True', !!null '']": '["1","true","12","null",7,true,null]',
    "[!!float 1, !!timestamp 2026-01-01]": '[1,"2026-01-01"]',
    '["é\\n\\"\\\\\\u2028😀"]': '["é\\n\\"\\\\\u2028😀"]',
    "[{b: 1, a: {}}, [], [[]]]": '[{"b":1,"a":{}},[],[[]]]',
    "!json {z: 1, a: [x], '': 2, p/q: 3, ~: 4}": '{"z":1,"a":["x"],"":2,"p/q":3,"~":4}',
    "!json [1]": "[1]",
    "[!!map {a: !!seq [!json {b: 1}]}]": '[{"a":[{"b":1}]}]',
    "[{<<: {a: 1, b: 2}, b: 3}]": '[{"a":1,"b":3}]',
}


@pytest.mark.parametrize(("written", "expected"), JSON.items())
def test_lists_and_json_become_compact_json_in_the_order_written(written: str, expected: str) -> None:
    assert values(outcome(f"a: {written}")) == {"f/a": expected}


# What is taken, with a warning.
WARNED: dict[str, tuple[str, list[str]]] = {
    "an empty file": ("", ["empty-file 0:0"]),
    "only comments": ("# nothing\n", ["empty-file 0:0"]),
    "nulls": (
        "a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: !!null ''",
        [f"null {n}:{3 if n == 1 else 4}" for n in range(1, 7)],
    ),
    "a leading zero in JSON": ("a: [0644]", ["leading-zero 1:5"]),
    "a space in a key": ("a b: 1", ["unportable-key 1:1"]),
    "a question mark in a key": ("a?b: 1", ["unportable-key 1:1"]),
    "a fragment in a key": ("'a#b': 1", ["unportable-key 1:1"]),
    "a plus in a key": ("a+b: 1", ["unportable-key 1:1"]),
    "a letter beyond ASCII in a key": ("é: 1", ["unportable-key 1:1"]),
    "an empty mapping": ("{}", []),
}


@pytest.mark.parametrize(("data", "expected"), WARNED.values(), ids=WARNED.keys())
def test_what_is_perhaps_not_meant_is_a_warning(data: str, expected: list[str]) -> None:
    assert places(outcome(data)) == [f"warning {place}" for place in expected]


def test_every_error_of_a_file_is_found() -> None:
    file = outcome("..: 1\nb: !x y\nc: {d: !!int x, e: 1}\nf: [.inf]\n")
    assert places(file) == [
        "error bad-key 1:1",
        "error unknown-tag 2:4",
        "error bad-tag 3:8",
        "error not-a-json-number 4:5",
    ]
    assert values(file) == {"f/c/e": "1"}


def test_a_file_full_of_errors_shows_the_first_hundred_and_counts_the_rest() -> None:
    problems = outcome("".join(f"a{n}: !x y\n" for n in range(250))).problems
    assert len(problems) == 101
    assert problems[-1].message == "150 more errors in this file are not shown"


def test_both_places_of_a_duplicate_are_named() -> None:
    (one,) = outcome("a: 1\nb: 2\na: 3\n").problems
    (two,) = outcome("a/b: 1\na: {b: 2}\n").problems
    assert "1:1" in one.message
    assert "1:1" in two.message


ALIASES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(12))
MAP_ALIASES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
CHAIN = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 100))
NESTED = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{y: *a{n - 1}}}\n" for n in range(1, 100))
BIG_VALUE = f"a: &a {'v' * 500_000}\n" + "".join(f"k{n}: *a\n" for n in range(200))
BOMBS = {
    "a bomb of aliases in JSON": (ALIASES, "expands-too-far"),
    "a bomb of aliases in mappings": (MAP_ALIASES, "expands-too-far"),
    "a bomb of merges": (MERGES, "expands-too-far"),
    "a chain of merges": (CHAIN, "too-deep"),
    "a chain of aliases": (NESTED, "too-deep"),
    "one value many times": (BIG_VALUE, "expands-too-far"),
    "too many aliases": ("a: &a 1\n" + "".join(f"k{n}: *a\n" for n in range(10_001)), "too-many-aliases"),
    "a long text many times in a list": (f"a: &a {'v' * 9999}\nb: [{'*a, ' * 99}]", "value-too-large"),
}


@pytest.mark.parametrize(("data", "code"), BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused(data: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.core.mapping.limits.MAX_NODES", 100_000)  # quicker than the real limit
    assert code in {problem.code for problem in outcome(data).problems if problem.severity == "error"}


def test_a_message_shows_no_more_of_a_name_than_a_reader_needs() -> None:
    (problem,) = outcome(f"? '{'..' * 10_000}/..'\n: 1").problems
    assert len(problem.message) < 150


@pytest.mark.parametrize("end", ["a: [", "b c"], ids=["YAML", "several lines"])
def test_conflict_markers_are_recognised(end: str) -> None:
    text = f"<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n{end}"
    (problem,) = outcome(text).problems
    assert problem.code == "yaml-syntax"
    assert "conflict markers" in problem.hint


def test_a_file_of_100_mb_is_refused_unread() -> None:
    assert places(too_large("f.yaml", 100_000_000)) == ["error file-too-large 0:0"]
    assert places(outcome(b"#" * (MAX_FILE_BYTES + 1))) == ["error file-too-large 0:0"]


@pytest.mark.parametrize("path", ["f.yaml", "f.json"])
def test_a_file_of_too_many_nodes_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.core.mapping.compose.MAX_NODES", 100)
    monkeypatch.setattr("syncd.core.mapping.json_reader.MAX_NODES", 100)
    assert [problem.code for problem in outcome(f'{{"a": [{"1," * 100}1]}}', path).problems] == ["too-many-nodes"]


def test_the_length_of_a_key_counts_the_prefix_and_bytes() -> None:
    assert not outcome(f"{'k' * 508}: 1", prefix="p").problems
    assert [p.code for p in outcome(f"{'k' * 509}: 1", prefix="p").problems] == ["key-too-long"]
    assert not outcome(f"{'k' * 510}: 1", prefix="").problems
    assert "key-too-long" in [p.code for p in outcome(f"{'é' * 255}: 1", prefix="p").problems]


# Paths: a file's own path makes the first segments.
PATHS = {
    "a//.yaml": "bad-key",
    "..yaml": "bad-key",
    f"{NFD}.yaml": "bad-key",
    f"{NFD}.txt": "bad-key",
    "a/.syncd/b.yaml": "bad-key",
    "a b.yaml": "unportable-key",
    "a b.txt": "unportable-key",
    "/".join("d" * 300) + ".yaml": "key-too-long",
    "/".join("d" * 300) + ".txt": "key-too-long",
}


@pytest.mark.parametrize(("path", "code"), PATHS.items(), ids=range(len(PATHS)))
def test_a_path_follows_the_rules_of_keys(path: str, code: str) -> None:
    assert [problem.code for problem in outcome("a: 1", path).problems] == [code]
