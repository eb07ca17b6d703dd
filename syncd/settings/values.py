"""How each sort of value is written, read and shown. Reading is strict: what is doubtful is refused."""

import re
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from syncd.core import keys
from syncd.core.catalog import parse_grant
from syncd.core.snapshots.cron import parse_cron
from syncd.settings.durations import parse_duration, render_duration


class BadValue(ValueError):
    """Say what is wrong with a value, in words that follow the setting's name and a colon."""


class ValueType(Protocol):
    """A sort of value. ``describe`` says how it is written, for the documentation."""

    @property
    def describe(self) -> str:
        """Say how a value is written."""
        ...

    def decode(self, text: str) -> object:
        """Turn a flag's or a variable's text into what TOML would hold; raise BadValue."""
        ...

    def read(self, value: object) -> object:
        """Check a TOML value and return the setting's; raise BadValue."""
        ...

    def show(self, value: object) -> str:
        """Write a value as ``syncd.toml`` would."""
        ...


class _Text(msgspec.Struct, frozen=True):
    """What stands between quotes in TOML."""

    def decode(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        return str(value)

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadValue(f"must be text between quotes, not {value!r}")
        if not value.isprintable():
            raise BadValue("holds a control character")
        return value


class Text(_Text, frozen=True):
    """Any text, but none."""

    @property
    def describe(self) -> str:
        return "text"

    def read(self, value: object) -> str:
        if not (text := self.text(value)):
            raise BadValue("must not be empty")
        return text


class Listen(_Text, frozen=True):
    """``HOST:PORT`` to listen at, ``""`` for nowhere; an IPv6 address stands in brackets."""

    @property
    def describe(self) -> str:
        return "HOST:PORT"

    def read(self, value: object) -> str:
        text = self.text(value)
        if text:
            host, colon, port = text.rpartition(":")
            if not colon or not host or not port.isdecimal() or int(port) > 65_535:
                raise BadValue(f"must be HOST:PORT, as 127.0.0.1:8510, not {text!r}")
        return text


class Choice(_Text, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def describe(self) -> str:
        return ", ".join(self.words[:-1]) + " or " + self.words[-1]

    def read(self, value: object) -> str:
        text = self.text(value)
        if text not in self.words:
            raise BadValue(f"must be {self.describe}, not {text!r}")
        return text


class Duration(_Text, frozen=True):
    """A length of time with its unit; read as seconds."""

    least: str
    most: str

    @property
    def describe(self) -> str:
        return f"duration, {self.least} to {self.most}"

    def show(self, value: object) -> str:
        assert isinstance(value, float)
        return render_duration(value)

    def read(self, value: object) -> float:
        if isinstance(value, int | float):
            raise BadValue(f'needs a unit: write "{value}s" for seconds')
        seconds = parse_duration(self.text(value))
        if not parse_duration(self.least) <= seconds <= parse_duration(self.most):
            raise BadValue(f"must be {self.least} to {self.most}, not {value}")
        return seconds


class File(_Text, frozen=True):
    """A path on this machine."""

    what: str

    @property
    def describe(self) -> str:
        return self.what

    def read(self, value: object) -> Path:
        if not (text := self.text(value)):
            raise BadValue("must not be empty")
        try:
            return Path(text).expanduser()
        except RuntimeError as error:
            raise BadValue(f"{text!r}: the home directory is not known") from error


class TreePath(_Text, frozen=True):
    """A folder inside the repository; ``""`` is the repository's root."""

    @property
    def describe(self) -> str:
        return "folder inside the repository"

    def read(self, value: object) -> str:
        text = self.text(value)
        _check_slashes(text, "the repository's root")
        for segment in text.split("/") if text else ():
            if segment in ("", ".", "..", ".git"):
                raise BadValue(f"{text!r} holds the segment {segment!r}")
        return text


class Prefix(_Text, frozen=True):
    """A prefix of keys; ``""`` is the store's root."""

    @property
    def describe(self) -> str:
        return "prefix of keys"

    def read(self, value: object) -> str:
        text = self.text(value)
        _check_slashes(text, "the store's root")
        for segment in text.split("/") if text else ():
            if fault := keys.segment_fault(segment):
                raise BadValue(f"{text!r} holds {fault}")
        if len(keys.record_key(text).encode()) > keys.MAX_KEY_BYTES:
            raise BadValue(f"leaves no room for keys: a key has at most {keys.MAX_KEY_BYTES} bytes")
        return text


def _check_slashes(text: str, root: str) -> None:
    if text.startswith("/") or text.endswith("/"):
        plain = "/".join(part for part in text.split("/") if part)
        advice = f"write {plain!r}" if plain else f'write "" for {root}'
        raise BadValue(f"{text!r} must not begin or end with a slash; {advice}")


class Cron(_Text, frozen=True):
    """When something is done, at most once a day; ``""`` is never."""

    @property
    def describe(self) -> str:
        return "cron expression"

    def read(self, value: object) -> str:
        if text := self.text(value):
            parse_cron(text)
        return text


class Zone(_Text, frozen=True):
    """A time zone by its name in the IANA's list."""

    @property
    def describe(self) -> str:
        return "time zone"

    def read(self, value: object) -> str:
        text = self.text(value)
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, as "Europe"
            raise BadValue(f"{text!r} is no time zone that this machine knows; write one as Europe/Berlin") from None
        return text


class Texts(msgspec.Struct, frozen=True):
    """Several texts; a single one may stand without brackets. In flags and variables, commas part them."""

    what: str = "text"
    empty: bool = True

    @property
    def describe(self) -> str:
        return f"list of {self.what}"

    def decode(self, text: str) -> object:
        return [part.strip() for part in text.split(",") if part.strip()]

    def read(self, value: object) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise BadValue(f"must be a list of texts between quotes, not {value!r}")
        if not items and not self.empty:
            raise BadValue("must not be empty")
        return tuple(Text().read(item) for item in items)

    def show(self, value: object) -> str:
        assert isinstance(value, tuple | list)
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"


class Program(Texts, frozen=True):
    """A program and its arguments; no shell parts them."""

    def read(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str) and len(value.split()) > 1:
            words = ", ".join(f'"{word}"' for word in value.split())
            raise BadValue(f"no shell reads it, so that each word stands in quotes of its own: write [{words}]")
        return super().read(value)


class Grants(Texts, frozen=True):
    """Several ``SERVICE:PREFIX``."""

    def read(self, value: object) -> tuple[str, ...]:
        texts = super().read(value)
        for text in texts:
            try:
                parse_grant(text)
            except ValueError as error:
                raise BadValue(str(error)) from None
        return texts


class Switch(msgspec.Struct, frozen=True):
    """True or false."""

    @property
    def describe(self) -> str:
        return "true or false"

    def decode(self, text: str) -> object:
        if text not in ("true", "false"):
            raise BadValue(f"must be true or false, not {text!r}")
        return text == "true"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise BadValue(f"must be true or false (without quotes), not {value!r}")
        return value

    def show(self, value: object) -> str:
        return "true" if value else "false"


class Whole(msgspec.Struct, frozen=True):
    """A whole number."""

    least: int
    most: int

    @property
    def describe(self) -> str:
        return f"number, {self.least} to {self.most}"

    def decode(self, text: str) -> object:
        if not re.fullmatch(r"-?[0-9]+", text):
            raise BadValue(f"must be a whole number, not {text!r}")
        return int(text)

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadValue(f"must be a whole number (without quotes), not {value!r}")
        if not self.least <= value <= self.most:
            raise BadValue(f"must be {self.least} to {self.most}, not {value}")
        return value

    def show(self, value: object) -> str:
        return str(value)
