"""The tree's own rules."""

import pytest

from syncd.core.desired import Policy
from syncd.core.problems import TreeError
from syncd.core.rules import Rules

RULES = b"""\
rules:
  - match: "*.yaml"
    lists: index
    drift: report
  - match: /secrets/
    secret: true
    prune: false
  - match: "*.json"
    as: blob
  - match: brain.yaml
    lists: json
    secret: [api_key, "brain/*_token"]
"""


def test_without_files_every_file_has_the_default_policy() -> None:
    rules = Rules.parse(None, None)
    assert rules.policy("brain.yaml") == Policy()
    assert not rules.ignores("brain.yaml")


def test_later_rules_win_field_by_field() -> None:
    rules = Rules.parse(RULES, None)
    assert rules.policy("tts.yaml") == Policy(lists="index", drift="report")
    assert rules.policy("secrets/a/b.yaml") == Policy(lists="index", drift="report", secret=True, prune=False)
    assert rules.policy("x/brain.yaml") == Policy(drift="report", secret=("api_key", "brain/*_token"))
    assert rules.policy("x.json") == Policy(expand=False)


def test_a_later_rule_can_take_a_field_back() -> None:
    rules = Rules.parse(
        b"rules: [{match: '*', as: blob, secret: true}, {match: a.yaml, as: expand, secret: false}]", None
    )
    assert rules.policy("a.yaml") == Policy()


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"rules: []\n", b"{}", b"\xef\xbb\xbfrules: []"])
def test_a_file_without_rules_changes_nothing(data: bytes) -> None:
    assert Rules.parse(data, b"") == Rules()


def test_the_ignore_file_is_written_like_gitignore() -> None:
    rules = Rules.parse(None, b"\xef\xbb\xbf# drafts\n\n*.draft\r\n!keep.draft\n/build/\n \\#x\n")
    names = ("a/b.draft", "keep.draft", "build/x/y.yaml", "x/build/y.yaml", "a.yaml")
    assert [rules.ignores(name) for name in names] == [True, False, True, False, False]


REFUSED = {
    b"- a": "1:1 the file must be a mapping",
    b"rules:\n  match: x": "2:3 'rules' must be a list of rules",
    b"rules: [x]": "1:9 a rule must be a mapping",
    b"rules: [{as: blob}]": "1:9 a rule needs 'match'",
    b"rules: [{match: x, lists: set}]": "1:27 this must be json or index",
    b"rules: [{match: x, as: file}]": "1:24 this must be expand or blob",
    b"rules: [{match: x, prune: no}]": "1:27 this must be true or false",
    b"rules: [{match: x, prune: 'true'}]": "1:27 this must be true or false",
    b"rules: [{match: x, drift: [a]}]": "1:27 this must be text",
    b"rules: [{match: x, drift: !!int 1}]": "1:27 this must be text",
    b"rules: [{match: x, secret: a}]": "1:28 this must be true, false or a list of patterns over keys",
    b"rules: [{match: x, secret: ['!a']}]": "1:29 a pattern that begins with ! matches nothing by itself",
    b"rules: [{match: '!x'}]": "1:17 a pattern that begins with ! matches nothing by itself",
    b"rules: [{match: '#x'}]": "1:17 a pattern that matches nothing",
    b"rules: [{match: 'x\\'}]": "1:17 not a pattern as in .gitignore",
    b"rules: [{match: ''}]": "1:17 a pattern that matches nothing",
    b"rules: [{match: x, schema: f.json}]": "1:20 'schema' is not offered by this version of syncd yet",
    b"rules: [{match: x, match: y}]": "1:20 the key 'match' stands also at 1:10",
    b"rules: [{match: x, [a]: y}]": "1:20 unknown field ''",
    b"rule: []": "1:1 unknown field 'rule'",
    b"rules: [": "2:1 did not find expected node content while parsing a flow node",
    b"\xff": "1:1 byte 1 of the file is not UTF-8",
}


@pytest.mark.parametrize(("data", "expected"), REFUSED.items())
def test_a_bad_rule_is_an_error_with_its_place(data: bytes, expected: str) -> None:
    with pytest.raises(TreeError) as error:
        Rules.parse(data, None)
    (problem,) = error.value.problems
    assert problem.where.startswith(".syncd.yaml:")
    assert f"{problem.line}:{problem.column} {problem.message}" == expected


def test_an_unknown_field_names_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(TreeError) as error:
        Rules.parse(b"rules: [{match: x, prun: true}]", None)
    assert error.value.hint == "did you mean 'prune'? known: match, as, lists, prune, drift, secret"


def test_everything_wrong_in_both_files_is_found_at_once() -> None:
    with pytest.raises(TreeError) as error:
        Rules.parse(b"rules:\n  - as: file\n    lists: x\nother: 1\n", b"ok\n!\nx\\\n")
    assert [(p.where, p.code) for p in error.value.problems] == [
        (".syncd.yaml:2:9", "bad-rule"),
        (".syncd.yaml:3:12", "bad-rule"),
        (".syncd.yaml:2:5", "bad-rule"),
        (".syncd.yaml:4:1", "bad-rule"),
        (".syncdignore:2:1", "bad-pattern"),
        (".syncdignore:3:1", "bad-pattern"),
    ]


def test_an_ignore_file_that_is_not_text_is_an_error() -> None:
    with pytest.raises(TreeError, match="not UTF-8"):
        Rules.parse(None, b"a\n\xff\n")
