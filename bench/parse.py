"""Parse and validate 100,000 leaves in 1,000 files, against PyYAML's own C loader on the same files in the same run."""

import statistics
import time
from collections.abc import Callable, Mapping

import yaml

from syncd.core.rules import Rules
from syncd.core.tree import Sorted, TreeEntry, build, parse_file

FILES = 1_000
ROUNDS = 7
TARGET = 0.9
PREFIX = "config/mordomo"


def main() -> None:
    files = {f"service_{number}.yaml": _file(number) for number in range(FILES)}
    _ours(files)
    rounds = [(_seconds(_theirs, files), _seconds(_ours, files)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for theirs, ours in rounds)
    theirs, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"parse and validate, {FILES} files, {len(_ours(files)):,} keys, median of {ROUNDS}:")
    print(f"  PyYAML CBaseLoader {theirs:.3f} s, syncd {ours:.3f} s, ratio {ratio:.2f} (at most {TARGET})")


def _theirs(files: Mapping[str, bytes]) -> None:
    for content in files.values():
        yaml.load(content, Loader=yaml.CBaseLoader)


def _ours(files: Mapping[str, bytes]) -> Mapping[str, object]:
    rules = Rules()
    parsed = {path: parse_file(path, content, rules.policy(path), PREFIX) for path, content in files.items()}
    entries = {path: TreeEntry(path.encode(), "file", path) for path in files}
    return build(rules, Sorted(entries, frozenset(), ()), parsed).desired.keys


def _seconds(work: Callable[[Mapping[str, bytes]], object], files: Mapping[str, bytes]) -> float:
    start = time.perf_counter()
    work(files)
    return time.perf_counter() - start


def _file(number: int) -> bytes:
    lines = [f"# Service {number}"]
    for group in ("server", "client", "storage", "limits", "features"):
        lines.append(f"{group}:")
        for section in ("main", "backup", "admin", "public"):
            lines += [
                f"  {section}:",
                "    enabled: true",
                f"    host: {section}-{number}.internal",
                f"    port: {8000 + number}",
                f'    description: "the {section} part of {group}"',
                "    timeout: 0.75",
            ]
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    main()
