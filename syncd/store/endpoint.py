"""Where the store is and how to come in: the variables of the Consul CLI, read as the Consul CLI reads them.

Rules borrowed from Consul's ``api/api.go``: an address without a port means port 80 (443 with TLS), not 8500;
``CONSUL_HTTP_SSL=true`` wins over ``http://``; a token file wins over ``CONSUL_HTTP_TOKEN``; a CA file wins over a
CA folder.
"""

import base64
import ssl
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from syncd.core.errors import SettingsError
from syncd.core.text import unreadable
from syncd.store.tls import TlsFiles, make_context
from syncd.store.token import FileToken, FixedToken, NoToken, Token

Found = TypeVar("Found")

DEFAULT_ADDRESS: Final = "127.0.0.1:8500"

# What Go's strconv.ParseBool takes.
_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Address(msgspec.Struct, frozen=True):
    """A parsed address; ``socket`` is the path of a unix socket or "".

    ``port`` 0 means the scheme's own.
    """

    scheme: str = "http"
    host: str = "127.0.0.1"
    port: int = 8500
    socket: str = ""

    def __str__(self) -> str:
        if self.socket:
            return f"unix://{self.socket}"
        return self.base

    @property
    def base(self) -> str:
        """The URL that a request's path is put behind; a unix socket needs a host's name all the same."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}"


class Endpoint:
    """An address with everything needed to be let in. Its text shows the address and nothing secret.

    ``is_default`` tells that nobody named an address.
    """

    def __init__(
        self,
        address: Address,
        *,
        is_default: bool = False,
        token: Token | None = None,
        authorization: str = "",
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        scope: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.address = address
        self.is_default = is_default
        self.token: Token = token or NoToken()
        self.authorization = authorization
        self.tls = tls
        self.server_name = server_name
        self.scope = scope

    def __repr__(self) -> str:
        return f"Endpoint({str(self)!r})"

    def __str__(self) -> str:
        return str(self.address)


def resolve_endpoint(
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    token_file: str | None = None,
    setting: str = "store.token_file (--token-file)",
    datacenter: str | None = None,
) -> Endpoint:
    """Read ``CONSUL_*``; ``address`` and ``token_file`` (a setting or a flag) come before it.

    ``setting`` names the setting that ``token_file`` comes from.

    SettingsError holds every bad value with the variable that holds it.
    """
    reading = _Reading(environment)
    place = reading.address(address)
    tls = reading.tls() if place.scheme == "https" else None
    endpoint = Endpoint(
        place,
        is_default=not address and not environment.get("CONSUL_HTTP_ADDR"),
        token=reading.token(token_file, setting),
        authorization=_basic(environment.get("CONSUL_HTTP_AUTH", "")),
        tls=tls,
        server_name=environment.get("CONSUL_TLS_SERVER_NAME", ""),
        scope=reading.scope(datacenter),
    )
    if reading.problems:
        theirs = all(problem.startswith("CONSUL_") for problem in reading.problems)
        hint = "these are the variables of the Consul CLI" if theirs else "docs/settings.md lists every setting"
        raise SettingsError(tuple(reading.problems), hint=hint)
    return endpoint


class _Reading:
    """One pass over the environment; collects what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def address(self, given: str | None) -> Address:
        name = "store.address (--address)" if given else "CONSUL_HTTP_ADDR"
        text = given or self._environment.get(name) or DEFAULT_ADDRESS
        use_tls = self._flag("CONSUL_HTTP_SSL", default=False)
        return self._try(name, lambda: parse_address(text, use_tls=use_tls), Address())

    def token(self, given: str | None, setting: str) -> Token:
        none: Token = NoToken()
        name = setting if given else "CONSUL_HTTP_TOKEN_FILE"
        path = given or self._environment.get(name)
        if path:
            return self._try(f"{name}: {path}", lambda: FileToken(Path(path)), none)
        text = self._environment.get("CONSUL_HTTP_TOKEN")
        if text:
            return self._try("CONSUL_HTTP_TOKEN", lambda: FixedToken(text), none)
        return none

    def tls(self) -> ssl.SSLContext:
        read = self._environment.get
        files = TlsFiles(
            ca_file=read("CONSUL_CACERT", ""),
            ca_path=read("CONSUL_CAPATH", ""),
            certificate=read("CONSUL_CLIENT_CERT", ""),
            key=read("CONSUL_CLIENT_KEY", ""),
            verify=self._flag("CONSUL_HTTP_SSL_VERIFY", default=True),
        )
        context, problems = make_context(files)
        self.problems += problems
        return context

    def scope(self, datacenter: str | None) -> tuple[tuple[str, str], ...]:
        for variable, what in (("CONSUL_NAMESPACE", "namespaces"), ("CONSUL_PARTITION", "partitions")):
            # /v1/txn ignores ?ns= and takes a namespace with each operation instead.
            if self._environment.get(variable, "") not in ("", "default"):
                gap = f"syncd does not support Consul Enterprise {what} yet: transactions would go to the default one"
                self.problems.append(f"{variable}: {gap}; unset it")
        return (("dc", datacenter),) if datacenter else ()

    def _flag(self, name: str, *, default: bool) -> bool:
        text = self._environment.get(name) or ""
        if text and text not in _TRUE | _FALSE:
            self.problems.append(f"{name}: {text!r} is neither true nor false")
        return text in _TRUE if text else default

    def _try(self, name: str, make: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return make()
        except OSError as error:
            self.problems.append(f"{name}: {unreadable(error)}")
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
        return otherwise


def parse_address(text: str, *, use_tls: bool = False) -> Address:
    """Read an address as the Consul CLI does; ValueError says what is wrong without repeating a password."""
    scheme, found, rest = text.strip().partition("://")
    if not found:
        scheme, rest = "", scheme
    if found and scheme == "unix":
        if not rest:
            raise ValueError("unix:// needs the path of a socket")
        return Address(host="localhost", port=0, socket=rest)
    if found and scheme not in ("http", "https"):
        raise ValueError(f"{scheme!r} is not a scheme that Consul speaks; use http, https or unix")
    if "@" in rest:
        raise ValueError("a user and a password do not belong into the address; use CONSUL_HTTP_AUTH")
    return _split(rest, "https" if use_tls or scheme == "https" else "http")


def _split(rest: str, scheme: str) -> Address:
    wrong = ValueError(f"{rest!r} is not HOST, HOST:PORT or [IPv6]:PORT")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
        is_host = _is_host(host)
    except ValueError:
        raise wrong from None
    if not is_host or port == 0 or parts.query or parts.fragment or any(char.isspace() for char in rest):
        raise wrong
    if parts.path.rstrip("/"):
        raise ValueError(f"{rest!r} has a path; give HOST:PORT of Consul's HTTP API alone")
    return Address(scheme, host, port or 0)


def _is_host(host: str) -> bool:
    """Tell whether a name can be looked up at all; ValueError likewise means that it cannot."""
    if set(host) <= set("0123456789."):
        IPv4Address(host)
    return bool(host.encode("idna"))


def _basic(user_and_password: str) -> str:
    """Write HTTP Basic credentials; a name without a colon has no password."""
    if not user_and_password:
        return ""
    pair = user_and_password if ":" in user_and_password else f"{user_and_password}:"
    return "Basic " + base64.b64encode(pair.encode()).decode()
