"""Opening a connection: look up once, check every address, connect to what was checked."""

import asyncio
import os
import ssl
from collections.abc import Callable
from ipaddress import ip_address

from syncd.core.addresses import refusal
from syncd.core.text import printable
from syncd.core.url import HttpUrl
from syncd.fanout.webhook.connection import Connection
from syncd.fanout.webhook.resolver import Resolver


class NotConnected(Exception):
    """No connection, and why."""


class Connector:
    """Opens connections; ``tls`` makes the context that certificates are checked with, at its first use."""

    def __init__(self, loop: asyncio.AbstractEventLoop, resolver: Resolver, tls: Callable[[], ssl.SSLContext]) -> None:
        self._loop = loop
        self._resolver = resolver
        self._tls = tls

    async def open(self, url: HttpUrl, *, trusted: bool, patience: float, make: Callable[[], Connection]) -> Connection:
        """Connect to the first address that answers; NotConnected says why none did.

        An address that stays silent costs its share of ``patience`` (seconds), so that the others get their turn.
        """
        addresses = await self._addresses(url)
        if not trusted:
            _check(url, addresses)
        context = self._tls() if url.scheme == "https" else None
        name = url.host.rstrip(".") if context else None
        share = patience / len(addresses)
        for address in addresses:
            try:
                async with asyncio.timeout(share):
                    _, connection = await self._loop.create_connection(
                        make, address, url.port, ssl=context, server_hostname=name
                    )
            except TimeoutError:
                problem = f"no connection within {share:g}s"
            except OSError as error:
                problem = _why(error)
            else:
                return connection
        raise NotConnected(problem)

    async def _addresses(self, url: HttpUrl) -> tuple[str, ...]:
        if url.address is not None:
            return (str(url.address),)
        try:
            return await self._resolver.addresses(url.host)
        except OSError as error:
            raise NotConnected(f"{url.host} cannot be looked up: {_why(error)}") from None


def _check(url: HttpUrl, addresses: tuple[str, ...]) -> None:
    """Refuse all if one is refused: which of them answers is not for us to bet on."""
    named = url.address is None
    for address in addresses:
        if kind := refusal(ip_address(address), named=named):
            what = f"{url.host} resolves to {address}, {kind}" if named else f"{address} is {kind}"
            raise NotConnected(f"refused: {what}; only a subscriber in the settings may have such an address")


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {printable(error.verify_message)[:200]}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {printable(error.reason or 'handshake failed').replace('_', ' ').lower()}"
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return printable(text[:1].lower() + text[1:])[:200] or type(error).__name__
