"""``syncd.toml``, with the place of each key, which the standard library's reader does not tell."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

_PART: Final = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_NAME: Final = rf"({_PART}(?:\s*\.\s*{_PART})*)"
_TABLE: Final = re.compile(rf"\s*(\[\[?)\s*{_NAME}\s*\]")
_KEY: Final = re.compile(rf"\s*{_NAME}\s*=")
_AGAIN: Final = re.compile(r"Cannot (?:declare|mutate immutable namespace) (\([^)]*\))(?: twice)?")
_ERROR: Final = re.compile(r"(.*) \(at line (\d+), column (\d+)\)")


class TomlFile(msgspec.Struct, frozen=True):
    """A file's content. ``shown`` names the file to people; ``places`` has line and column by dotted name.

    The tables of an array ``[[name]]`` are ``name.0``, ``name.1`` and so on.
    """

    content: Mapping[str, object]
    shown: str
    path: Path
    places: Mapping[str, tuple[int, int]]

    @property
    def folder(self) -> Path:
        """Where its relative paths start."""
        return self.path.parent

    def place(self, name: str) -> str:
        """Say where a name stands, or the nearest thing around it (an inline table has one place)."""
        while name and name not in self.places:
            name = name.rpartition(".")[0]
        line, column = self.places.get(name, (1, 1))
        return f"{self.shown}:{line}:{column}"


def read_toml(path: Path, shown: str) -> TomlFile:
    """Read a file; raise ValueError with the place and what is wrong."""
    try:
        text = path.read_bytes().decode()
        return TomlFile(tomllib.loads(text), shown, path, _places(text))
    except OSError as error:
        raise ValueError(f"{shown}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_decode_problem(shown, str(error))) from error


def _decode_problem(shown: str, message: str) -> str:
    if again := _AGAIN.match(message):
        name = ".".join(re.findall(r"'([^']*)'", again[1]))
        message = f"{name} is begun a second time; put all of it into one place{message[again.end() :]}"
    message = message.replace("Cannot overwrite a value", "this name is given a second time")
    if found := _ERROR.fullmatch(message):
        return f"{shown}:{found[2]}:{found[3]}: {found[1]}"
    return f"{shown}: {message}"


def _places(text: str) -> dict[str, tuple[int, int]]:
    """Find where keys stand in text that is known to be TOML; inside multi-line strings nothing is a key."""
    places: dict[str, tuple[int, int]] = {}
    table, quote = "", ""
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        if not quote:
            if found := _TABLE.match(line):
                table = _plain(found[2])
                if found[1] == "[[":
                    places.setdefault(table, (number, found.start(2) + 1))
                    counts[table] += 1
                    table = f"{table}.{counts[table] - 1}"
                places.setdefault(table, (number, found.start(2) + 1))
            elif found := _KEY.match(line):
                name = ".".join(filter(None, (table, _plain(found[1]))))
                places.setdefault(name, (number, found.start(1) + 1))
        quote = _open_quote(line, quote)
    return places


def _open_quote(line: str, quote: str) -> str:
    for mark in re.findall(r'"""|\'\'\'', line):
        quote = "" if quote == mark else quote or mark
    return quote


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
