"""By which names the daemon may be called: a web page that points its own name at this machine is not answered."""

import ipaddress
from collections.abc import Iterable
from typing import Final

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Hosts:
    """The names that are answered: local ones, the address called, and those that settings allow."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = _LOCAL | {_normal(name) for name in allowed}

    def allow(self, header: str, called: str) -> bool:
        """Tell whether a Host header may be answered; ``called`` is the address where the call arrived."""
        name = host_of(header)
        return name is not None and (name in self._allowed or name == _normal(called))


def host_of(header: str) -> str | None:
    """Return the host in ``HOST[:PORT]``, an IPv6 address without its brackets; None where it is none."""
    name, colon, port = header.rpartition(":")
    if not colon or "]" in port:
        name, port = header, ""
    if colon and port and not (port.isascii() and port.isdigit()):
        return None
    bracketed = name.startswith("[") and name.endswith("]")
    if not name or (":" in name and not bracketed):
        return None
    return _normal(name)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    name = _normal(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _normal(name: str) -> str:
    """Write a name or address one way."""
    return name.removeprefix("[").removesuffix("]").rstrip(".").lower()
