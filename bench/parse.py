"""Parse and validate 100,000 leaves in 1,000 files, against PyYAML's own C loader on the same files in the same run."""

import statistics
import time
from collections.abc import Callable, Mapping

import yaml

from syncd.core.rules import Rules
from syncd.core.tree import ParsedFile, Sorted, Tree, TreeEntry, build, parse_file

FILES = 1_000
ROUNDS = 7
TARGET = 0.9
PREFIX = "config/mordomo"


def main() -> None:
    files = {f"service_{number}.yaml": _file(number) for number in range(FILES)}
    theirs, parsing, whole = zip(*(_round(files) for _ in range(ROUNDS)), strict=True)
    print(f"{FILES} files, {len(_build(_parse(files)).desired.keys):,} keys, CPU time, median of {ROUNDS}:")
    print(f"  PyYAML CBaseLoader                     {statistics.median(theirs):.3f} s")
    for name, ours in (("parse and validate", parsing), ("the same, put together with its digest", whole)):
        ratio = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
        print(f"  {name:38} {statistics.median(ours):.3f} s, ratio {ratio:.2f} (at most {TARGET})")


def _round(files: Mapping[str, bytes]) -> tuple[float, float, float]:
    theirs = _seconds(lambda: _load(files))
    start = time.process_time()
    parsed = _parse(files)
    parsing = time.process_time() - start
    return theirs, parsing, parsing + _seconds(lambda: _build(parsed))


def _load(files: Mapping[str, bytes]) -> None:
    for content in files.values():
        yaml.load(content, Loader=yaml.CBaseLoader)


def _parse(files: Mapping[str, bytes]) -> dict[str, ParsedFile]:
    rules = Rules()
    return {path: parse_file(path, content, rules.policy(path), PREFIX) for path, content in files.items()}


def _build(parsed: Mapping[str, ParsedFile]) -> Tree:
    entries = {path: TreeEntry(path.encode(), "file", path) for path in parsed}
    return build(Rules(), Sorted(entries, frozenset(), ()), parsed)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


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
