"""What every sort of value can do: be described, read and shown."""

from typing import Protocol

import msgspec


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


class Quoted(msgspec.Struct, frozen=True):
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
