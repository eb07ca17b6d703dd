"""Signatures by the Standard Webhooks specification, version 1: HMAC-SHA256 over id, timestamp and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import math
from base64 import b64decode
from binascii import b2a_base64
from pathlib import Path
from typing import Final

from syncd.core.text import unreadable
from syncd.log import get_logger

log = get_logger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a file: a system call for each try would be a tenth of all that a try costs."""

_PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes, as the specification has it
_BLOCK: Final = 64  # bytes, of SHA-256
_MOST: Final = 10
_FORM: Final = "write each secret as whsec_ and base64 of 24 to 64 bytes, one a line"


class Signer:
    """Signs with each of some secrets (at most 64 bytes each).

    This is HMAC as RFC 2104 writes it, with the two hashes keyed once: a copy of both costs two thirds of a copy of
    ``hmac.HMAC`` and half of ``hmac.digest``, and signing is a fifth of all that a delivery costs.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._keyed = tuple((_hash(secret, 0x36), _hash(secret, 0x5C)) for secret in secrets)

    def sign(self, signed: bytes) -> bytes:
        """Return the value of the ``webhook-signature`` header; ``signed`` is ``ID.TIMESTAMP.BODY``."""
        signatures = []
        for keyed_inner, keyed_outer in self._keyed:
            inner, outer = keyed_inner.copy(), keyed_outer.copy()
            inner.update(signed)
            outer.update(inner.digest())
            signatures.append(b"v1," + b2a_base64(outer.digest(), newline=False))
        return b" ".join(signatures)


def _hash(secret: bytes, pad: int) -> "hashlib._Hash":
    return hashlib.sha256(bytes(byte ^ pad for byte in secret.ljust(_BLOCK, b"\0")))


class SecretFile:
    """Secrets in a file, read again when it changes: the newest and those that receivers still know.

    ValueError, which never quotes the file, if it cannot be used at first. A file that is missing or damaged later
    leaves the last good secrets in use, with a warning in the log.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._looked = -math.inf
        self._seen = self._state()
        self._signer = self._load()

    def signer(self, now: float) -> Signer:
        """Return what signs with the secrets that the file holds, or held a second ago; ``now`` is by any clock."""
        if now - self._looked < LOOK_EVERY:
            return self._signer
        self._looked = now
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._signer = self._load()
            except ValueError as error:
                log.warning("webhooks are still signed with the last good secrets", problem=str(error))
        return self._signer

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _load(self) -> Signer:
        try:
            return Signer(parse_secrets(self._path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            problem = f"it is not text; {_FORM}"
        except ValueError as error:
            problem = str(error)
        except OSError as error:
            problem = unreadable(error)
        raise ValueError(f"secret_file {self._path}: {problem}")


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """Read secrets, one a line; ValueError names the line and never quotes it."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError(f"it holds no secret; {_FORM}")
    if len(lines) > _MOST:
        raise ValueError(f"it holds {len(lines)} secrets; all of them sign, so keep to {_MOST}")
    return tuple(_secret(number, line) for number, line in lines)


def _secret(number: int, line: str) -> bytes:
    if not line.startswith(_PREFIX):
        raise ValueError(f"line {number} does not begin with {_PREFIX}; {_FORM}")
    try:
        secret = b64decode(line.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"line {number} is not base64 after {_PREFIX}; {_FORM}") from None
    if not _SHORTEST <= len(secret) <= _LONGEST:
        raise ValueError(f"the secret in line {number} has {len(secret)} bytes; {_FORM}")
    return secret
