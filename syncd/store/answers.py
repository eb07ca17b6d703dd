"""What Consul answers, as types: only the fields that syncd reads."""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from syncd.core.documents import UNREADABLE
from syncd.core.errors import NoLeader, NotWhole, StoreError, UnknownOutcome
from syncd.core.live import Entry
from syncd.store.faults import UNKNOWN_HINT, quoted, shown

Answer = TypeVar("Answer")


class Reply(NamedTuple):
    """An answer as py-consul's callbacks take it."""

    code: int
    headers: Mapping[str, str]
    body: bytes


class Found(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """One entry of ``/v1/kv``; an empty value comes as null."""

    key: str
    value: bytes | None
    flags: int
    modify_index: int
    session: str = ""

    def entry(self) -> Entry:
        """Drop the key."""
        return Entry(self.value or b"", self.flags, self.modify_index, self.session)


class _Kv(msgspec.Struct, gc=False, rename="pascal"):
    modify_index: int = 0


class _Result(msgspec.Struct, gc=False, rename={"kv": "KV"}):
    kv: _Kv | None = None


class _Failure(msgspec.Struct, rename="pascal"):
    what: str = ""


class _Transaction(msgspec.Struct, rename="pascal"):
    results: list[_Result] | None = None
    errors: list[_Failure] | None = None


class _Authorization(msgspec.Struct, rename="pascal"):
    allow: bool


class _Config(msgspec.Struct, rename="pascal"):
    version: str = ""
    server: bool = False


class Agent(msgspec.Struct, rename="pascal"):
    """What ``/v1/agent/self`` tells."""

    config: _Config = msgspec.field(default_factory=_Config)


FOUND: Final = msgspec.json.Decoder(list[Found])
_NAMES: Final = msgspec.json.Decoder(list[str])
AGENT: Final = msgspec.json.Decoder(Agent)
_TRANSACTION: Final = msgspec.json.Decoder(_Transaction)
_AUTHORIZATIONS: Final = msgspec.json.Decoder(list[_Authorization])


def written_index(body: bytes) -> int:
    """Return the index that a transaction's operations share; 0 where no result tells one (deletes only)."""
    results = _TRANSACTION.decode(body).results or ()
    return max((result.kv.modify_index for result in results if result.kv), default=0)


def failures(body: bytes) -> tuple[str, ...]:
    """Return what the store says of each failing operation of a transaction."""
    try:
        return tuple(each.what for each in _TRANSACTION.decode(body).errors or ())
    except UNREADABLE:
        return (body[:300].decode(errors="replace"),)


def allows(body: bytes, where: str) -> bool:
    """Tell whether every question of an authorization was answered with yes."""
    answers = permissions(body, where)
    return bool(answers) and all(answers)


def permissions(body: bytes, where: str) -> list[bool]:
    """Read the answer to each question of an authorization."""
    return [answer.allow for answer in _read(_AUTHORIZATIONS, body, where)]


def trusted_index(headers: Mapping[str, str], where: str, *, filtered: bool = False) -> int:
    """Return X-Consul-Index; an error where the answer cannot be relied on. It may be ``filtered`` where that is so."""
    if headers.get("X-Consul-KnownLeader", "true") != "true":
        raise NoLeader("the server answers without knowing a leader", where=where)
    if not filtered and headers.get("X-Consul-Results-Filtered-By-ACLs", "false") != "false":
        raise NotWhole("ACLs filtered the answer", where=where, hint="give the token read access to the prefix")
    text = headers.get("X-Consul-Index", "")
    if not text.isdecimal() or int(text) == 0:
        raise NotWhole(
            f"the answer has no index (X-Consul-Index {text!r})",
            where=where,
            hint="is this a Consul's address, and nothing between that strips headers?",
        )
    return int(text)


def only(body: bytes, key: str, where: str) -> Entry:
    """Read the answer to a GET of one key."""
    found = _read(FOUND, body, where)
    if len(found) != 1 or found[0].key != key:
        raise NotWhole("the answer is about other keys", where=where)
    return found[0].entry()


def names_below(front: str, body: bytes, where: str) -> list[str]:
    """Read the answer to a GET of the names that begin with ``front``; return what follows it."""
    names, cut = _read(_NAMES, body, where), len(front)
    below = [name[cut:] for name in names if name.startswith(front)]
    if len(below) != len(names):
        raise NotWhole(f"a list of {front!r} names other keys", where=where)
    return below


def _read(decoder: msgspec.json.Decoder[Answer], body: bytes, where: str) -> Answer:
    """Decode an answer to a read that came whole; no Consul says anything else."""
    try:
        return decoder.decode(body)
    except UNREADABLE:
        # A list of keys that came damaged would show values.
        said = "JSON of another shape" if body.lstrip()[:1] in (b"[", b"{") else repr(shown(body[:200]))
        raise StoreError(
            f"what answers is not a Consul API: it says {said}",
            where=where,
            hint="the address is HOST:PORT of Consul's HTTP API, 8500 by default",
        ) from None


def body_of(reply: Reply) -> bytes:
    """Return the body as it is."""
    return reply.body


def is_true(reply: Reply) -> bool:
    """Read the answer to a PUT of one key."""
    said = reply.body.strip()
    if reply.code != 200 or said not in (b"true", b"false"):
        raise UnknownOutcome(f"the store answers {reply.code}: {quoted(reply.body)}", hint=UNKNOWN_HINT)
    return said == b"true"
