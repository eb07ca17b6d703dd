"""What all webhook senders of a loop share, and how one is made."""

import asyncio
import ssl
from collections.abc import Callable
from functools import cache
from weakref import WeakValueDictionary

from syncd.core.subscriber import Webhook
from syncd.core.url import parse_url
from syncd.fanout.webhook.connector import Connector
from syncd.fanout.webhook.deadlines import Deadlines
from syncd.fanout.webhook.envelope import Envelopes
from syncd.fanout.webhook.resolver import LookUp, Resolver, look_up
from syncd.fanout.webhook.sender import WebhookSender
from syncd.fanout.webhook.signing import SecretFile


class Webhooks:
    """Makes senders that share deadlines, look-ups and TLS settings; belongs to the running loop.

    ``wall_clock`` is in seconds since 1970.
    Certificates are checked against the system's authorities, or those that ``SSL_CERT_FILE`` names.
    """

    def __init__(self, *, wall_clock: Callable[[], float], look_up: LookUp = look_up) -> None:
        self._loop = asyncio.get_running_loop()
        self._envelopes = Envelopes(wall_clock)
        self._deadlines = Deadlines(self._loop)
        self._secrets: WeakValueDictionary[str, SecretFile] = WeakValueDictionary()
        self._connector = Connector(self._loop, Resolver(self._loop, look_up), cache(_tls))

    def sender(self, target: Webhook) -> WebhookSender:
        """Make the sender of one subscriber; ValueError if its URL or its secrets cannot be used."""
        return WebhookSender(
            parse_url(target.url),
            timeout=target.timeout,
            trusted=target.trusted,
            secrets=self._secrets_of(target.secret_file) if target.secret_file else None,
            loop=self._loop,
            deadlines=self._deadlines,
            connector=self._connector,
            envelopes=self._envelopes,
        )

    def _secrets_of(self, path: str) -> SecretFile:
        """Share what several subscribers sign with."""
        found = self._secrets.get(path)
        if found is None:
            found = self._secrets[path] = SecretFile(path)
        return found


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
