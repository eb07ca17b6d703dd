"""Places: on this machine, in the repository, in the store."""

from pathlib import Path

from syncd.core import keys
from syncd.settings.values.kind import BadValue, Quoted


class File(Quoted, frozen=True):
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


class TreePath(Quoted, frozen=True):
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


class Prefix(Quoted, frozen=True):
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
