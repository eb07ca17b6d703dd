"""The ACL token: from a value or from a file that may be replaced at any time; never shown."""

import re
from pathlib import Path
from typing import Protocol

# A token is a header's value: anything else would be refused by the HTTP client with the token in its message.
_SENDABLE = re.compile(r"[\x21-\x7e]+\Z")


class Token(Protocol):
    """What is sent as X-Consul-Token."""

    def current(self) -> str | None:
        """Return the token as it stands now, None for no token."""
        ...

    def refresh(self) -> bool:
        """Look again after a refusal; True if there is another token now."""
        ...


class NoToken:
    """Requests go out as Consul's anonymous token."""

    def current(self) -> str | None:
        """Return None."""
        return None

    def refresh(self) -> bool:
        """Return False."""
        return False


class FixedToken:
    """A token that was given as a value; ValueError (without the value) if it cannot be one."""

    def __init__(self, text: str) -> None:
        self._text = _checked(text)

    def __repr__(self) -> str:
        return "FixedToken(...)"

    def current(self) -> str | None:
        """Return the value."""
        return self._text

    def refresh(self) -> bool:
        """Return False: only a restart brings another."""
        return False


class FileToken:
    """A token in a file, read again when the file changes; OSError or ValueError if it cannot be read at first.

    Later, a file that is missing, empty or damaged for a moment leaves the last good token in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = _signature(path)
        self._text = _checked(path.read_text())

    def __repr__(self) -> str:
        return f"FileToken({str(self._path)!r})"

    def current(self) -> str | None:
        """Return what the file holds now."""
        try:
            signature = _signature(self._path)
            if signature != self._seen:
                self._text = _checked(self._path.read_text())
                self._seen = signature
        except (OSError, ValueError):
            pass
        return self._text

    def refresh(self) -> bool:
        """Read the file whatever its time stamp says."""
        before, self._seen = self._text, None
        return self.current() != before


def _signature(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _checked(text: str) -> str:
    token = text.strip()
    if not token:
        raise ValueError("it is empty")
    if not _SENDABLE.match(token):
        raise ValueError("it holds characters that no token has")
    return token
