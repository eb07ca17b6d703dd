"""The store as it was last published, as templates read it."""

import base64
import shlex
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
import yaml

from syncd.core.errors import SyncdError
from syncd.core.event import ToldRevision

_NO_DEFAULT: Final = object()


class Published(msgspec.Struct, frozen=True):
    """A whole revision: every key below ``prefix``, relative to it. It must stay as it is while somebody reads it."""

    prefix: str
    keys: Mapping[str, bytes]
    revision: ToldRevision | None = None

    def __repr__(self) -> str:
        """Never show a value."""
        return f"Published({self.prefix!r}, {len(self.keys)} keys)"


class TemplateError(SyncdError):
    """A template cannot be rendered; the message names keys, never values."""


class Binary:
    """A value that is not text: it can be encoded, and is an error wherever text is needed."""

    def __init__(self, key: str, value: bytes) -> None:
        self._key = key
        self._value = value

    def __str__(self) -> str:
        raise TemplateError(f"the value of {self._key!r} is not text", hint="write it as | b64encode")

    def base64(self) -> str:
        """Write it in base64."""
        return base64.b64encode(self._value).decode()


Text = str | Binary


class Reader:
    """What a template may ask."""

    def __init__(self, published: Published) -> None:
        self._keys = published.keys

    def key(self, name: str, default: object = _NO_DEFAULT) -> object:
        """Return one value; a key that is not there is an error unless a default is given."""
        value = self._keys.get(name)
        if value is not None:
            return _text(name, value)
        if default is _NO_DEFAULT:
            raise TemplateError(f"there is no key {name!r}", hint='give a default: key("…", default="…")')
        return default

    def exists(self, name: str) -> bool:
        """Tell whether a key is there."""
        return name in self._keys

    def tree(self, folder: str = "") -> list[tuple[str, Text]]:
        """List every key below a folder, relative to it, with its value."""
        return [(relative, _text(name, self._keys[name])) for name, relative in self._below(folder)]

    def ls(self, folder: str = "") -> list[tuple[str, Text]]:
        """List the keys that stand directly in a folder."""
        return [
            (relative, _text(name, self._keys[name])) for name, relative in self._below(folder) if "/" not in relative
        ]

    def nested(self, folder: str = "") -> dict[str, Any]:
        """Make a mapping of mappings of what stands below a folder."""
        root: dict[str, Any] = {}
        for name, relative in self._below(folder):
            *parents, last = relative.split("/")
            place = root
            for parent in parents:
                place = place.setdefault(parent, {})
                if not isinstance(place, dict):
                    raise TemplateError(f"no mapping can hold {name!r} and a key above it", hint="use tree()")
            place[last] = _text(name, self._keys[name])
        return root

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._keys)

    def _below(self, folder: str) -> Iterator[tuple[str, str]]:
        """Find keys by a folder; the keys that end in a slash, with which web UIs make empty folders, are no values."""
        start = f"{folder.strip('/')}/" if folder.strip("/") else ""
        for position in range(bisect_left(self._sorted, start), len(self._sorted)):
            name = self._sorted[position]
            if not name.startswith(start):
                return
            if not name.endswith("/"):
                yield name, name[len(start) :]


def to_json(value: object, indent: int | None = None) -> str:
    """Write JSON for a file: unlike Jinja's own filter, nothing is escaped for HTML."""
    return msgspec.json.format(_json(value), indent=indent or 0).decode() if indent else _json(value).decode()


def to_yaml(value: object) -> str:
    """Write YAML in block style; text that YAML would read as something else is quoted."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, default_flow_style=False)


def b64encode(value: Text) -> str:
    """Write a value, text or not, in base64."""
    return value.base64() if isinstance(value, Binary) else base64.b64encode(value.encode()).decode()


FILTERS: Final = {
    "tojson": to_json,
    "fromjson": msgspec.json.decode,
    "toyaml": to_yaml,
    "b64encode": b64encode,
    "shellquote": lambda value: shlex.quote(str(value)),
}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _text(name: str, value: bytes) -> Text:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Binary(name, value)
