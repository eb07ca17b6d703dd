"""Several texts: names, a program with its arguments, grants."""

import msgspec

from syncd.core.catalog import parse_grant
from syncd.settings.values.kind import BadValue
from syncd.settings.values.text import Text


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
