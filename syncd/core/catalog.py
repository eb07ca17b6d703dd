"""Services of Consul's catalog as subscribers: what their meta asks for, and who stays known when a read says less."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from syncd.core.addresses import refusal
from syncd.core.mapping.globs import MOST_WILDCARDS, is_costly, pattern_fault
from syncd.core.subscriber import Filter, Subscriber, Webhook
from syncd.core.url import parse_url

PATH: Final = "syncd-path"
PREFIX: Final = "syncd-prefix"
MATCH: Final = "syncd-match"
SCHEME: Final = "syncd-scheme"
GRACE_SECONDS: Final = 30.0
"""A service that is missing so long is forgotten; one that is only registered anew loses nothing it is owed."""
MOST_PATTERNS: Final = 16
MOST_SUBSCRIBERS: Final = 1000
_LONGEST_NAME: Final = 256


class Instance(msgspec.Struct, frozen=True):
    """One registration of a service; ``address`` is the service's own or else its node's."""

    service: str
    id: str
    node: str
    address: str
    port: int
    meta: Mapping[str, str]

    @property
    def name(self) -> str:
        """Name it apart from all others: an id is unique on its node only. No name in the settings has an ``@``."""
        return f"{quote(self.id, safe=':+')}@{quote(self.node, safe='')}"

    @property
    def origin(self) -> str:
        """Say where it is registered, for people."""
        return f"service {self.service} on node {self.node}"


class Grant(NamedTuple):
    """A service that may be told values below a prefix."""

    service: str
    prefix: str


class Kept(NamedTuple):
    """A subscriber from the catalog, and when it was last seen there (seconds by any clock)."""

    instance: Instance
    subscriber: Subscriber
    seen: float


def parse_grant(text: str) -> Grant:
    """Read ``SERVICE:PREFIX``; ValueError says what is wrong. An empty prefix grants every key."""
    service, colon, prefix = text.partition(":")
    if not colon or not service.strip():
        raise ValueError(f"{text!r} is not SERVICE:PREFIX")
    if prefix.startswith("/"):
        raise ValueError(f"{text!r}: prefixes are relative to the store's, without a slash in front")
    return Grant(service.strip(), prefix)


def subscriber_of(instance: Instance, grants: Iterable[Grant], secret_file: str) -> Subscriber:
    """Make a subscriber of what a service's meta asks for; ValueError says what is wrong with that."""
    if len(instance.name) > _LONGEST_NAME:
        raise ValueError(f"its id is longer than {_LONGEST_NAME} characters")
    target = Webhook(_url(instance), secret_file, trusted=False)
    below = tuple(sorted(grant.prefix for grant in grants if grant.service == instance.service))
    return Subscriber(instance.name, target, _filter(instance.meta), values=below or False, origin=instance.origin)


def keep(
    known: Mapping[str, Kept], found: Iterable[Kept], *, stays: Callable[[Instance], bool], now: float
) -> dict[str, Kept]:
    """Return who is to be told: who was found, who may only not have been read, and who has just gone missing."""
    kept = {each.subscriber.name: each for each in found}
    for name, before in known.items():
        if name in kept:
            continue
        if stays(before.instance):
            kept[name] = before._replace(seen=now)
        elif now - before.seen < GRACE_SECONDS:
            kept[name] = before
    return kept


def without_twins(
    fixed: Iterable[Subscriber], found: Iterable[Subscriber]
) -> tuple[list[Subscriber], list[tuple[Subscriber, Subscriber]]]:
    """Leave out who would be told at an address that another has; return the rest, and pairs of left out and other.

    Both would send the same delivery ids there, and a receiver takes the second for a repetition of the first.
    """
    of_keys = (each for each in fixed if each.filter.about == "keys")  # what tells of snapshots has other ids
    owners = {each.target.url: each for each in of_keys if isinstance(each.target, Webhook)}
    kept: list[Subscriber] = []
    twins: list[tuple[Subscriber, Subscriber]] = []
    for each in sorted(found, key=lambda one: one.name):
        assert isinstance(each.target, Webhook)
        owner = owners.setdefault(each.target.url, each)
        if owner is each:
            kept.append(each)
        else:
            twins.append((each, owner))
    return kept, twins


def _url(instance: Instance) -> str:
    path, scheme = instance.meta[PATH], instance.meta.get(SCHEME, "http")
    if not path.startswith("/"):
        raise ValueError(f"{PATH} must begin with a slash")
    if scheme not in ("http", "https"):
        raise ValueError(f"{SCHEME} is http or https")
    if not 0 < instance.port < 65536:
        raise ValueError("it is registered without a port")
    if not instance.address:
        raise ValueError("it is registered without an address")
    if set(instance.address) & set("/?#@[]"):
        raise ValueError(f"its address {instance.address!r} is no host")
    host = f"[{instance.address}]" if ":" in instance.address else instance.address
    url = f"{scheme}://{host}:{instance.port}{path}"
    address = parse_url(url).address
    if address is not None and (kind := refusal(address, named=False)):
        raise ValueError(f"its address {address} is {kind}; only a subscriber in the settings may have such an address")
    return url


def _filter(meta: Mapping[str, str]) -> Filter:
    if PREFIX not in meta and MATCH not in meta:
        raise ValueError(f"{PATH} needs {PREFIX} beside it, as brain/; empty is every key")
    prefixes, patterns = _list(meta.get(PREFIX, "")), _list(meta.get(MATCH, ""))
    for prefix in prefixes:
        if prefix.startswith("/"):
            raise ValueError(f"{PREFIX}: {prefix!r} is relative to the store's prefix, without a slash in front")
    if len(prefixes) + len(patterns) > MOST_PATTERNS:
        raise ValueError(f"at most {MOST_PATTERNS} prefixes and patterns in {PREFIX} and {MATCH}")
    for pattern in patterns:
        if is_costly(pattern):
            raise ValueError(f"{MATCH}: at most {MOST_WILDCARDS} wildcards in a pattern")
        if fault := pattern_fault(pattern):
            raise ValueError(f"{MATCH}: {pattern!r} is {fault}")
    return Filter(prefixes, patterns)


def _list(text: str) -> tuple[str, ...]:
    """Read a comma list; ValueError where it holds nothing but commas."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if text.strip() and not parts:
        raise ValueError(f"{text!r} lists nothing")
    return parts
