"""Keys to files and back: a tree that is written maps to exactly what it was written from."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core.mapping.walk import key_fault
from syncd.core.mapping.writing import Unwritable, unwritable, write_tree
from syncd.core.rules import Rules
from syncd.core.tree import TreeEntry, build, parse_file, sort_out


def read_back(files: dict[str, bytes]) -> dict[str, bytes]:
    rules = Rules.parse(files.get(".syncd.yaml"), None)
    found = sort_out([TreeEntry(path.encode(), "file", "") for path in files], rules)
    parsed = {path: parse_file(path, files[path], rules.policy(path), "") for path in found.files}
    return {key: said.value for key, said in build(rules, found, parsed).desired.keys.items()}


def test_each_first_segment_becomes_one_readable_file() -> None:
    pairs = {
        "brain/model": b"qwen2.5:3b",
        "brain/temperature": b"0.70",
        "brain/limits/max": b"12",
        "brain/limits/note": b"",
        "brain/prompt": b"You are\n\n  kind.\n",
        "brain/word": b"null",
        "brain/key": b"\xff\x00",
        "tts/voice": b"a voice: loud #1",
    }
    assert {path: content.decode() for path, content in write_tree(pairs.items()).items()} == {
        "brain.yaml": 'key: !!binary /wA=\nlimits:\n  max: 12\n  note: ""\nmodel: qwen2.5:3b\n'
        'prompt: |\n  You are\n\n    kind.\ntemperature: 0.70\nword: "null"\n',
        "tts.yaml": 'voice: "a voice: loud #1"\n',
    }
    assert read_back(write_tree(pairs.items())) == pairs


def test_a_control_character_is_written_as_bytes_which_every_reader_takes() -> None:
    pairs = {"door/ring": b"once\x07"}
    assert write_tree(pairs.items()) == {"door.yaml": b"ring: !!binary b25jZQc=\n"}
    assert read_back(write_tree(pairs.items())) == pairs


def test_a_key_of_one_segment_becomes_an_opaque_file() -> None:
    assert write_tree([("motd", b"hi\0"), ("motd/a", b"1")]) == {"motd": b"hi\0", "motd.yaml": b"a: 1\n"}


def test_a_name_like_a_document_is_declared_opaque() -> None:
    files = write_tree([("a [1].json", b"{"), ("x.yaml", b"1"), ("x/y", b"2")])
    assert files == {
        "a [1].json": b"{",
        "x.yaml": b"1",
        "x.yml": b"y: 2\n",
        ".syncd.yaml": b"# Files whose name looks like a document's, but that hold one value each.\nrules:\n"
        b"  - match: /a\\ \\[1\\].json\n    as: blob\n  - match: /x.yaml\n    as: blob\n",
    }
    assert read_back(files) == {"a [1].json": b"{", "x.yaml": b"1", "x/y": b"2"}


def test_a_key_beside_keys_below_it_is_written_with_slashes() -> None:
    pairs = {"a/b": b"1", "a/b/c": b"2", "a/b/d/e": b"3"}
    files = write_tree(pairs.items())
    assert files == {"a.yaml": b"b: 1\nb/c: 2\nb/d:\n  e: 3\n"}


def test_a_key_of_many_segments_is_not_nested_deeper_than_can_be_read() -> None:
    pairs = {"/".join("a" * 250): b"1"}
    assert read_back(write_tree(pairs.items())) == pairs


UNWRITABLE = {
    "a/": "it holds an empty segment",
    "a//b": "it holds an empty segment",
    "a/../b": "it holds the segment '..'",
    "a/.syncd/b": "it holds the segment '.syncd', which syncd keeps for itself",
    "a\nb": "it holds a control character",
    "e\u0301": "it holds text that is not in Unicode's NFC form",
    "a/" + "b" * 511: "it has more than 512 bytes",
    ".env/x": "files that begin with a dot are not part of a tree",
    "NOTES.md": "*.md files are not part of a tree",
    "d" * 251 + "/x": "its first segment is too long for a file's name",
    "x/y": "other keys have the names that its file could have",
}


def test_what_no_tree_can_hold_is_listed_with_the_reason() -> None:
    pairs = [(key, b"") for key in [*UNWRITABLE, "x.yaml", "x.yml", "fine/a"]] + [("big", b"x" * 524_289)]
    expected = UNWRITABLE | {"big": "its value has more than 524,288 bytes"}
    assert unwritable(pairs) == expected
    with pytest.raises(Unwritable) as error:
        write_tree(pairs)
    assert error.value.keys == expected
    assert "'a/': it holds an empty segment" in error.value.message


SEGMENTS = st.one_of(
    st.sampled_from(
        ("a", "b", "x.yaml", "x.yml", "x.json", "x", "<<", "null", "-", "~", "a: b", "# a", "'", '"', "!x", ".x")
    ),
    st.text(max_size=6),
    st.text(alphabet="ab\\\"' :#-?[]{}&*!|>%@`,=~.", min_size=1, max_size=8),
)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join).filter(lambda key: not _surrogates(key))
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="ab:# \n\t-\"'\\", max_size=20),
    st.sampled_from(
        (
            "null",
            "~",
            "",
            "---",
            "...",
            "- a",
            "? a",
            "a:",
            "a: b",
            "a #b",
            "|",
            ">",
            "0644",
            "yes",
            "\r\n",
            "a\n",
            "\n",
        )
    ),
)
VALUES = st.one_of(st.binary(max_size=80), TEXTS.filter(lambda text: not _surrogates(text)).map(str.encode))


def _surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


@given(st.dictionaries(KEYS, VALUES, max_size=8))
@example({"\\" * 511: b"1"})
@example({"a/" + "\\" * 509: b"|\n", "a/" + "\\" * 509 + "/": b"1"})
@example({"a/b": b"x\n\n\n", "a/c": b"x\ny\n\n\n", "a/d": b"x\ny", "a/e": b"\tx\ny\n"})
def test_what_is_written_reads_back_exactly(pairs: dict[str, bytes]) -> None:
    refused = unwritable(pairs.items())
    assert all(
        key_fault(key) is not None for key in refused if "segment" in refused[key] and "long" not in refused[key]
    )
    kept = {key: value for key, value in pairs.items() if key not in refused}
    kept = {key: value for key, value in kept.items() if key not in unwritable(kept.items())}
    assert read_back(write_tree(kept.items())) == kept
