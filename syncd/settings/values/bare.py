"""What stands without quotes in TOML: true and false, whole numbers."""

import re

import msgspec

from syncd.settings.values.kind import BadValue


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
