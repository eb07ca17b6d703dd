"""What holds for every file, and what no file can do."""

import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.desired import Policy
from syncd.core.keys import MAX_KEY_BYTES, MAX_VALUE_BYTES
from syncd.core.tree import parse_file

NAMES = st.text(alphabet="abcXYZ019_-", min_size=1, max_size=6)
TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
DOCUMENTS = st.dictionaries(
    NAMES, st.recursive(TEXTS, lambda below: st.dictionaries(NAMES, below, max_size=4)), max_size=5
)
POLICIES = st.builds(Policy, lists=st.sampled_from(("json", "index")), secret=st.sampled_from((False, True, ("a*",))))
YAML_LIKE = st.text(alphabet="ab01:-?[]{}&*!|>'\"%@`,#<~./ \n\t\r\\x\0\ufeff\x85é", max_size=60).map(str.encode)

MARKER = "TOPSECRET9"
HOSTILE = tuple(
    form.replace("M", MARKER)
    for form in (
        "!M",
        "!!M x",
        "!<M> x",
        "!M!x y",
        "*M",
        "&M [*M]",
        "[a, *M]",
        "[!M b]",
        "!json [!M c]",
        "!!int M",
        "!!binary M*",
        "[.inf, M",
        "'M",
        '"M',
        '"\\M"',
        "|M",
        "@M",
        "`M",
        "%M",
        "M\x01",
        "[M, \x85]",
    )
)


def flat(document: object, at: str) -> dict[str, bytes]:
    if isinstance(document, dict):
        return {key: value for name, below in document.items() for key, value in flat(below, f"{at}/{name}").items()}
    return {at: str(document).encode()}


@given(DOCUMENTS)
def test_a_document_written_by_another_program_yields_its_own_values(document: dict[str, object]) -> None:
    expected = flat(document, "f")
    for path, text in (
        ("f.yaml", yaml.dump(document, default_style='"', allow_unicode=False, width=10_000)),
        ("f.json", json.dumps(document)),
        ("f.json", json.dumps(document, ensure_ascii=False, indent=1)),
    ):
        file = parse_file(path, text.encode(), Policy(), "")
        assert {key: said.value for key, said in file.keys.items()} == expected
        assert {problem.severity for problem in file.problems} <= {"warning"}


@given(st.dictionaries(NAMES, st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=8)))
def test_json_text_means_what_was_written(document: dict[str, object]) -> None:
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    file = parse_file("f.yaml", json.dumps(lists, ensure_ascii=True).replace("\\ud", "\\uD").encode(), Policy(), "")
    if not file.problems:
        assert {key: json.loads(said.value) for key, said in file.keys.items()} == {
            f"f/{name}": value for name, value in lists.items()
        }


@given(st.one_of(st.binary(max_size=60), YAML_LIKE), st.sampled_from(("f.yaml", "f.json", "f.txt")), POLICIES)
def test_any_bytes_yield_keys_within_the_rules_or_problems_with_a_place(data: bytes, path: str, policy: Policy) -> None:
    file = parse_file(path, data, policy, "p")
    for key, said in file.keys.items():
        assert len(f"p/{key}".encode()) <= MAX_KEY_BYTES
        assert len(said.value) <= MAX_VALUE_BYTES
        assert said.line >= 1
        assert said.column >= 1
    assert all(problem.line >= 0 for problem in file.problems)


@given(YAML_LIKE)
def test_a_secret_file_never_shows_a_line(data: bytes) -> None:
    assert not any(problem.snippet for problem in parse_file("f.yaml", data, Policy(secret=True), "").problems)


FAULTY = (
    "a: !!int {0}",
    "a: !!binary {0}=",
    "a: [007{0}]",
    "a: [-.inf, {0}]",
    "a: [0x{0}, 0123456789]",
    "a: {0}\na: {0}",
    "a: '{0}",
    "a: [{0}\n",
    "a: {0}\x07",
    "a: !x {0}",
    '"\\0": {0}',
    "{0}",
    "<<: {0}",
    "a: {{<<: {0}}}",
    '{{"a": {0}}}',
    '{{"a": "{0}\\q"}}',
)


@pytest.mark.parametrize("template", FAULTY)
@pytest.mark.parametrize("path", ["f.yaml", "f.json"])
@pytest.mark.parametrize("secret", [True, ("nothing",)])
def test_no_problem_ever_shows_a_value_of_a_file_with_secrets(template: str, path: str, secret: bool) -> None:
    value = "0123456789"
    file = parse_file(path, template.format(value).encode(), Policy(secret=secret), "")
    assert not any(value.lstrip("0") in f"{p.message} {p.hint} {p.snippet}" for p in file.problems)


DEEP = [
    "[" * 100_000,
    "{a: " * 100_000,
    "- " * 100_000,
    "? " * 100_000,
    "a: [" * 50_000,
    '{"a":' * 50_000,
    "!a &b [" * 50_000,
]


@pytest.mark.parametrize("path", ["f.yaml", "f.json"])
def test_no_nesting_crashes_the_process(path: str) -> None:
    program = (
        "import sys, json\n"
        "from syncd.core.desired import Policy\n"
        "from syncd.core.tree import parse_file\n"
        "for text in json.load(sys.stdin):\n"
        f"    print(*(p.severity for p in parse_file({path!r}, text.encode(), Policy(), '').problems))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(DEEP), text=True, capture_output=True, check=True
    )
    assert done.stdout.splitlines() == ["error"] * len(DEEP)


@given(
    st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3),
    st.text(alphabet="ab01-[]&*!|>'\"%@`,#<~./ \t\\\x00\x85", max_size=8),
    st.sampled_from(("f.yaml", "f.json")),
    st.sampled_from((True, ("f/key*",))),
)
def test_no_problem_of_a_secret_file_shows_a_value(
    values: list[str], noise: str, path: str, secret: bool | tuple[str, ...]
) -> None:
    quote = '"' if path == "f.json" else ""
    text = "".join(f"{quote}key{number}{quote}: {value}{noise}\n" for number, value in enumerate(values))
    file = parse_file(path, (f"{{{text}}}" if quote else text).encode(), Policy(secret=secret), "")
    assert all(MARKER not in f"{each.message} {each.hint} {each.snippet}" for each in file.problems)
