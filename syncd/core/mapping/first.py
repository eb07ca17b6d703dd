"""A first, simple mapping (being replaced)."""

import json

import yaml

from syncd.core import keys as key_rules
from syncd.core.desired import DesiredKey, Policy
from syncd.core.problems import Problem


def read(path: str, data: bytes, policy: Policy, prefix: str) -> tuple[dict[str, DesiredKey], tuple[Problem, ...]]:
    """Turn one file into keys and problems."""
    secret = policy.secret is True
    base, dot, extension = path.rpartition(".")
    if not (policy.expand and dot and extension in ("yaml", "yml", "json")):
        return {path: DesiredKey(data, path, 1, 1, secret, policy)}, ()
    try:
        node = yaml.compose(data.decode(), Loader=yaml.CBaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return {}, (Problem("error", "yaml-syntax", path, line, column, str(error.problem)),)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return {}, (Problem("error", "yaml-syntax", path, 0, 0, str(error)),)
    found: dict[str, DesiredKey] = {}
    problems: list[Problem] = []
    if node is None:
        return {}, (Problem("warning", "empty-file", path, 0, 0, "the file is empty"),)
    if not isinstance(node, yaml.MappingNode):
        return {}, (Problem("error", "not-a-mapping", path, 1, 1, "the file's root is not a mapping"),)

    def walk(node: yaml.Node, at: str) -> None:
        for key, value in node.value:
            full = f"{at}/{key.value}"
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            fault = next(filter(None, map(key_rules.segment_fault, full.split("/"))), None)
            if fault or full in found:
                problems.append(Problem("error", "bad-key" if fault else "duplicate-key", path, line, column,
                                        f"{full}: {fault or 'two places yield this key'}"))
            elif isinstance(value, yaml.MappingNode):
                walk(value, full)
            elif isinstance(value, yaml.SequenceNode):
                text = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
                found[full] = DesiredKey(text.encode(), path, line, column, secret, policy)
            elif value.style is None and value.value in ("", "~", "null"):
                problems.append(Problem("warning", "null", path, line, column, "null: the key is absent"))
            else:
                found[full] = DesiredKey(value.value.encode(), path, line, column, secret, policy)

    def plain(node: yaml.Node) -> object:
        if isinstance(node, yaml.MappingNode):
            return {key.value: plain(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [plain(item) for item in node.value]
        return node.value

    walk(node, base)
    return found, tuple(problems)
