"""Bearer tokens: kept as hashes in a file, one a line, with what each may do."""

import hmac
import re
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.errors import SyncdError
from syncd.core.text import unreadable
from syncd.log import get_logger

log = get_logger(__name__)

_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_HINT: Final = "a line reads: NAME SCOPE sha256:HEX, SCOPE being read, sync or admin; docs/api.md says how to make one"


class Scope(IntEnum):
    """What a caller may do; each scope includes those below it."""

    NONE = 0
    READ = 1
    SYNC = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The scope as files and documents write it."""
        return self.name.lower()


_WORDS: Final = {scope.word: scope for scope in (Scope.READ, Scope.SYNC, Scope.ADMIN)}


class Caller(msgspec.Struct, frozen=True):
    """Who calls, and what that one may do."""

    name: str
    scope: Scope


class TokensError(SyncdError):
    """The file of tokens cannot be used; nobody gets in by a token until it is mended."""

    exit_code = 64


class Tokens:
    """The tokens of a file, which is read anew when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: object = None
        self._known: list[tuple[Caller, bytes]] = []
        self._error: TokensError | None = None
        self._refresh()
        if self._error is not None:
            raise self._error

    def find(self, token: str) -> Caller | None:
        """Return whose token it is; every hash is compared, in constant time. TokensError where the file is damaged."""
        self._refresh()
        if self._error is not None:
            raise self._error
        found, digest = None, sha256(token.encode("utf-8", "surrogateescape")).digest()
        for caller, known in self._known:
            if hmac.compare_digest(digest, known):
                found = caller
        return found

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return
            self._known, self._error = read_tokens(self._path.read_text(), str(self._path)), None
        except (OSError, UnicodeDecodeError) as problem:
            reason = unreadable(problem) if isinstance(problem, OSError) else "it is not UTF-8"
            self._fail(None, TokensError(f"the tokens cannot be read: {reason}", where=str(self._path), hint=_HINT))
        except TokensError as problem:
            self._fail(seen, problem)
        else:
            self._seen = seen

    def _fail(self, seen: object, error: TokensError) -> None:
        if self._error is None or str(self._error) != str(error):
            log.error(error.message, at=error.where, hint="no token is valid until it is mended")
        self._seen, self._known, self._error = seen, [], error


def read_tokens(text: str, where: str) -> list[tuple[Caller, bytes]]:
    """Read lines of ``NAME SCOPE[,SCOPE] sha256:HEX``; empty ones and those that begin with # count for nothing."""
    found: list[tuple[Caller, bytes]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        scopes = words[1].split(",") if len(words) == 3 else []
        hash_ = _HASH.fullmatch(words[2]) if len(words) == 3 else None
        if hash_ is None or not all(scope in _WORDS for scope in scopes):
            raise TokensError("this line is no token", where=f"{where}:{number}", hint=_HINT)
        found.append((Caller(words[0], max(_WORDS[scope] for scope in scopes)), bytes.fromhex(hash_[1])))
    return found
