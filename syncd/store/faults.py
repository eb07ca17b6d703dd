"""What Consul's refusals mean: statuses and texts as typed errors.

The texts are Consul's own, seen on 1.8.7 and in the code of later versions; see docs/consul-compatibility.md.
"""

import re
from collections.abc import Iterable
from typing import Final

from syncd.core.errors import (
    Conflict,
    Denied,
    NoLeader,
    NotFound,
    RateLimited,
    StoreError,
    TooLarge,
    UnknownOutcome,
    Unreachable,
)

ANSWERS: Final = frozenset((200, 404, 409))
"""The statuses that are read by whoever asked: done, nothing there, and a transaction that was rolled back."""

MAX_TEXT: Final = 300

DENIED_HINT: Final = "check the token and its policy; docs/consul-compatibility.md has one that is enough"
UNKNOWN_HINT: Final = "it may or may not have been done; read back before trying again"
BUSY_HINT: Final = "try again in a moment"


_CONSULS: Final = re.compile(
    r"(?:rpc error|acl not found|acl support disabled|permission denied|no cluster leader|no path to datacenter"
    r"|node is not the leader|leadership lost|invalid (?:session|query|key)|transaction contains|request body"
    r"|bad request|value exceeds|missing |conflicting flags|failed to |method |rate limit|retry later|session id "
    r"|your ip is)"
    r"[^][{}]*",
    re.IGNORECASE,
)
"""How Consul's refusals begin. None repeats the request, which would be in braces."""


class AclsOff(StoreError):
    """A question about ACLs, asked of a store that has them switched off: nothing is refused or filtered."""


def fault_of(status: int, body: bytes, *, write: bool, where: str) -> StoreError:
    """Name the error that a status outside ANSWERS stands for."""
    text = shown(body)
    if status >= 500:
        return _of_server(status, text, quoted(body) if write else text, write=write, where=where)
    if 300 <= status < 400:
        return StoreError(
            "the store answers with a redirect: it knows this key by another name",
            where=where,
            hint="Consul cannot address keys with empty, '.' or '..' segments; such a key is not portable",
        )
    return _of_request(status, quoted(body) if write else text, where)


def _of_request(status: int, text: str, where: str) -> StoreError:
    if status == 401:
        return AclsOff(f"the store refuses: {text}", where=where, hint="CONSUL_HTTP_AUTH is missing or wrong")
    if status == 403:
        return Denied(f"the token is refused: {text}", where=where, hint=DENIED_HINT)
    if status == 413:
        return TooLarge(f"the request is over the store's limit: {text}", where=where)
    if status == 429:
        return RateLimited(f"the store asks for fewer requests: {text}", where=where, hint=BUSY_HINT)
    return StoreError(f"the store answers {status}: {text}", where=where)


def _of_server(status: int, text: str, fit: str, *, write: bool, where: str) -> StoreError:
    said = f"the store answers {status}: {fit}"
    if "No path to datacenter" in text:
        return StoreError(
            said, where=where, hint="no server knows that datacenter: check store.datacenter (--datacenter)"
        )
    if "invalid session" in text.lower():
        return NotFound(f"no such session: {fit}", where=where)
    if "ACL not found" in text or "Permission denied" in text:
        return Denied(f"the token is refused: {fit}", where=where, hint=DENIED_HINT)
    if "can only be performed by the leader" in text or "rate limit" in text:
        return RateLimited(said, where=where, hint=BUSY_HINT)
    # Consul says these two before anything entered its log, so that even a write was not done.
    if "No cluster leader" in text or "node is not the leader" in text:
        return NoLeader("the cluster has no leader", where=where, hint=BUSY_HINT)
    if write:
        return UnknownOutcome(said, where=where, hint=UNKNOWN_HINT)
    if "leadership" in text:
        return NoLeader(said, where=where, hint=BUSY_HINT)
    return Unreachable(said, where=where, hint=BUSY_HINT)


def refused(failures: Iterable[str], where: str) -> StoreError:
    """Name the error of a transaction that was rolled back; an ACL's denial arrives like a lost race."""
    texts = tuple(failures)
    said = "; ".join(texts[:3]) + ("" if len(texts) <= 3 else f"; and {len(texts) - 3:,} more")
    if any("Permission denied" in text for text in texts):
        return Denied(f"the token may not: {said}", where=where, hint=DENIED_HINT)
    return Conflict(f"the store has moved: {said}", failures=texts, where=where, hint="nothing was written")


def shown(body: bytes) -> str:
    """Return the beginning of an answer's text, fit for a message."""
    text = " ".join(body[: 4 * MAX_TEXT].decode(errors="replace").split())
    text = "".join(char for char in text if char.isprintable())
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def quoted(body: bytes) -> str:
    """Return an answer's text only if Consul says such; a gateway may repeat a request, and with it values."""
    text = shown(body)
    return text if not text or _CONSULS.fullmatch(text) else f"({len(body):,} bytes that are not shown)"
