"""Reading the URL of a webhook, strictly: what two readers could understand differently is refused.

No message repeats the URL: its path or query may hold somebody's token.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from syncd.core.addresses import Address

_PORTS: Final = {"http": 80, "https": 443}
_VISIBLE: Final = re.compile(r"[^\x00-\x20\x7f\\<>\"{}|^`]*\Z")
_NAME: Final = re.compile(
    r"(?=.{1,253}\.?\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?\Z"
)


class HttpUrl(msgspec.Struct, frozen=True):
    """Where a request goes. ``host`` is in ASCII, an IPv6 address without brackets; ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """Return the host if it is written as an address, None if it must be looked up.

        Spellings such as ``127.1`` and ``0x7f.1`` count as names: the resolver says what they mean.
        """
        return _address(self.host)

    @property
    def authority(self) -> str:
        """Write the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(text: str) -> HttpUrl:
    """Read an ``http`` or ``https`` URL; ValueError says what is wrong without repeating it."""
    if not _VISIBLE.match(text):
        raise ValueError("the URL holds a space, a control character or one that must be percent-encoded")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("the URL has a host or port that cannot be read; write http://HOST:PORT/PATH") from None
    if parts.scheme not in _PORTS:
        raise ValueError("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong into the URL; sign with secret_file instead")
    if "#" in text:
        raise ValueError("the URL has a fragment (#...), which is never sent; remove it")
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    return HttpUrl(parts.scheme, _host(parts), port or _PORTS[parts.scheme], _target(parts))


def _target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii():
        raise ValueError("path and query must be ASCII; percent-encode the rest")
    return target


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise ValueError("the URL names no host; write http://HOST:PORT/PATH")
    if not host.isascii():
        host = _ascii(host)
    if _address(host) is None and not _NAME.match(host):
        raise ValueError(f"{host!r} is neither a host's name nor an address")
    return host


def _ascii(host: str) -> str:
    import idna  # noqa: PLC0415  # its tables are large and few hosts need them

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError(f"{host!r} is not a name that can be looked up (IDNA 2008)") from None


def _address(host: str) -> Address | None:
    if "%" in host:  # a zone means something on one machine only
        return None
    kind = IPv6Address if ":" in host else IPv4Address
    try:
        return kind(host)
    except ValueError:
        return None
