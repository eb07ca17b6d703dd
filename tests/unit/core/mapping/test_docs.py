"""Every example of docs/mapping.md: fenced blocks of files, then what they yield."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd.core.desired import DesiredKey
from syncd.core.problems import TreeError
from syncd.core.rules import Rules
from syncd.core.tree import Tree, TreeEntry, build, parse_file, sort_out

PAGE = Path(__file__).parents[4] / "docs" / "mapping.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    files: dict[str, bytes] = field(default_factory=dict)
    keys: str = ""
    problems: str = ""


def examples() -> Iterator[Example]:
    """Blocks of files and of outcomes in turn; the first file after an outcome begins the next example."""
    example = Example()
    for kind, path, content in BLOCK.findall(PAGE.read_text()):
        if path:
            if example.keys or example.problems:
                yield example
                example = Example()
            example.files[path] = content.encode()
        elif kind == "keys":
            example.keys = content
        else:
            assert kind == "problems"
            example.problems = content
    yield example


def shown(key: str, said: DesiredKey) -> str:
    if said.secret:
        return f"{key} = (secret)\n"
    try:
        text = said.value.decode()
    except UnicodeDecodeError:
        return f"{key} = bytes {said.value.hex(' ')}\n"
    return f"{key} = {text if text.isprintable() and text else json.dumps(text)}\n"


def tree_of(files: dict[str, bytes]) -> Tree:
    rules = Rules.parse(files.get(".syncd.yaml"), files.get(".syncdignore"))
    found = sort_out([TreeEntry(path.encode(), "file", "") for path in files], rules)
    parsed = {path: parse_file(path, files[path], rules.policy(path), "config/mordomo") for path in found.files}
    return build(rules, found, parsed)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: " ".join(example.files))
def test_an_example_of_the_docs_does_what_the_docs_say(example: Example) -> None:
    try:
        tree = tree_of(example.files)
        problems, keys = tree.warnings, tree.desired.keys
    except TreeError as error:
        problems, keys = error.problems, {}
    said = [f"{p.where}: {p.severity}: {p.message}" + (f" ({p.hint})" if p.hint else "") for p in problems]
    assert "".join(shown(key, value) for key, value in keys.items()) == example.keys
    assert said == example.problems.splitlines()
