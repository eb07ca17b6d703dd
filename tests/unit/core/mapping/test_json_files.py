"""Files in JSON: strict, with positions, the same walk as YAML."""

import pytest

from syncd.core.desired import Policy
from syncd.core.tree import ParsedFile, parse_file


def outcome(text: str | bytes) -> ParsedFile:
    return parse_file("f.json", text.encode() if isinstance(text, str) else text, Policy(), "p")


def test_json_is_expanded_like_yaml_and_its_text_kept() -> None:
    file = outcome('{"a": {"b": 1.50, "c": true, "d": "x\\ny", "e": 1E400},\n "l": [1.0, {"k": null}, []], "o": {}}')
    assert {key: said.value for key, said in file.keys.items()} == {
        "f/a/b": b"1.50",
        "f/a/c": b"true",
        "f/a/d": b"x\ny",
        "f/a/e": b"1E400",
        "f/l": b'[1.0,{"k":null},[]]',
    }
    assert (file.keys["f/l"].line, file.keys["f/l"].column) == (2, 2)


def test_escapes_are_resolved() -> None:
    text = r'{"a": "\u00e9\ud83d\ude00\/\"\\\b\f\r\t", "\u0062": "é"}'
    assert {key: said.value.decode() for key, said in outcome(text).keys.items()} == {
        "f/a": 'é😀/"\\\b\f\r\t',
        "f/b": "é",
    }


def test_a_merge_key_is_an_ordinary_key_in_json() -> None:
    assert outcome('{"<<": {"a": "1"}}').keys["f/<</a"].value == b"1"


def test_null_is_absent_with_a_warning() -> None:
    file = outcome('{"a": null, "b": "null", "c": ""}')
    assert {key: said.value for key, said in file.keys.items()} == {"f/b": b"null", "f/c": b""}
    assert [problem.code for problem in file.problems] == ["null"]


@pytest.mark.parametrize("text", ["", " \r\n\t", "\ufeff"])
def test_an_empty_file_is_a_warning(text: str) -> None:
    assert [(p.severity, p.code) for p in outcome(text).problems] == [("warning", "empty-file")]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    file = outcome('\ufeff{"a": "1\u2028\ufeff"}')
    assert file.keys["f/a"].value.decode() == "1\u2028\ufeff"
    assert (file.keys["f/a"].line, file.keys["f/a"].column) == (1, 2)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a list as root": ("[1]", "not-a-mapping 1:1"),
    "a scalar as root": ('"x"', "not-a-mapping 1:1"),
    "a duplicate key": ('{"a": 1,\n"a": 2}', "duplicate-key 2:1"),
    "a duplicate key in a list": ('{"a": [{"b": 1, "b": 2}]}', "duplicate-key 1:17"),
    "NaN": ('{"a": NaN}', "json-syntax 1:7"),
    "Infinity": ('{"a": [-Infinity]}', "json-syntax 1:8"),
    "a leading zero": ('{"a": 01}', "json-syntax 1:7"),
    "a number without digits": ('{"a": 1.}', "json-syntax 1:7"),
    "a longer word": ('{"a": nullx}', "json-syntax 1:7"),
    "a comment": ('{"a": 1} // x', "json-syntax 1:10"),
    "single quotes": ("{'a': 1}", "json-syntax 1:2"),
    "a bare key": ("{a: 1}", "json-syntax 1:2"),
    "a number as key": ("{1: 1}", "json-syntax 1:2"),
    "a comma at the end of a mapping": ('{"a": 1,}', "json-syntax 1:9"),
    "a comma at the end of a list": ('{"a": [1,]}', "json-syntax 1:10"),
    "no comma": ('{"a": 1 "b": 2}', "json-syntax 1:9"),
    "no colon": ('{"a" 1}', "json-syntax 1:6"),
    "no value": ('{"a":}', "json-syntax 1:6"),
    "no end": ('{"a": [1', "json-syntax 1:9"),
    "no end after a value": ('{"a":', "json-syntax 1:6"),
    "text after the end": ('{"a": 1}\n{}', "json-syntax 2:1"),
    "a string without an end": ('{"a":\n "x', "json-syntax 2:2"),
    "an unknown escape": ('{"a": "x\\q"}', "json-syntax 1:9"),
    "half an escape": ('{"a": "\\u12"}', "json-syntax 1:8"),
    "a raw line break in a string": ('{"a": "x\ny"}', "json-syntax 1:9"),
    "a lone surrogate": ('{"a": "\\ud800"}', "bad-character 1:7"),
    "a lone surrogate in a key": ('{"\\udc00": 1}', "bad-character 1:2"),
    "an escaped NUL": ('{"a": "\\u0000"}', "nul 1:7"),
    "a raw NUL": ('{"a": "\0"}', "nul 1:8"),
    "UTF-16": ("{}".encode("utf-16"), "not-utf-8 1:1"),
    "invalid UTF-8": (b'{"a":\n"\xff"}', "not-utf-8 2:2"),
    "100,000 brackets": ("[" * 100_000, "too-deep 1:65"),
    "100,000 mappings": ('{"a":' * 100_000, "too-deep 1:321"),
    "a bad key": ('{"..": 1}', "bad-key 1:2"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_strict_json_is_an_error_with_its_place(text: str | bytes, expected: str) -> None:
    problems = outcome(text).problems
    assert [f"{p.severity} {p.code} {p.line}:{p.column}" for p in problems] == [f"error {expected}"]


def test_64_levels_are_read() -> None:
    assert list(outcome('{"a":' * 64 + "1" + "}" * 64).keys) == ["f" + "/a" * 64]


def test_conflict_markers_are_recognised() -> None:
    (problem,) = outcome('{\n<<<<<<< HEAD\n"a": 1\n').problems
    assert "conflict markers" in problem.hint
