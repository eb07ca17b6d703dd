"""One machine that runs syncd: a repository, a home, a prefix of its own in some store."""

import base64
import json
import urllib.error
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import quote

from tests.support.api import Api
from tests.support.process import Process, running, syncd
from tests.support.repository import Repository


class Kv:
    """The keys of one prefix over HTTP, as a stranger reads and writes them; blocking."""

    def __init__(self, address: str, prefix: str) -> None:
        self.address = address
        self.prefix = prefix

    def get(self, key: str) -> bytes | None:
        """Read a value; None if there is no such key."""
        entry = self.entry(key)
        return None if entry is None else entry["Value"]

    def entry(self, key: str) -> dict[str, Any] | None:
        """Read a key as the store tells it, but its value as bytes."""
        found = self._call("GET", f"{self.prefix}/{key}")
        if found is None:
            return None
        (entry,) = json.loads(found)
        return {**entry, "Value": base64.b64decode(entry["Value"] or "")}

    def put(self, key: str, value: bytes, *, flags: int | None = None) -> None:
        """Write as ``consul kv put`` does, which clears the flags; with ``flags`` as the web UI does."""
        self._call("PUT", f"{self.prefix}/{key}", "" if flags is None else f"flags={flags}", body=value)

    def delete(self, key: str, *, below: bool = False) -> None:
        self._call("DELETE", f"{self.prefix}/{key}", "recurse" if below else "")

    def clear(self) -> None:
        """Delete everything below the prefix, syncd's own keys too."""
        self._call("DELETE", f"{self.prefix}/", "recurse")

    def tree(self) -> dict[str, bytes]:
        """Read the configuration: every key below the prefix but syncd's own."""
        found = json.loads(self._call("GET", f"{self.prefix}/", "recurse") or b"[]")
        every = {row["Key"].removeprefix(f"{self.prefix}/"): base64.b64decode(row["Value"] or "") for row in found}
        return {key: value for key, value in every.items() if not key.startswith(".syncd/")}

    def own(self, name: str) -> dict[str, Any]:
        """Read one of syncd's own keys, which hold JSON."""
        value = self.get(f".syncd/{name}")
        content: dict[str, Any] = json.loads(value) if value else {}
        return content

    def held(self) -> bool:
        """Tell whether somebody holds the lease."""
        entry = self.entry(".syncd/lease")
        return entry is not None and "Session" in entry

    def _call(self, method: str, key: str, query: str = "", *, body: bytes | None = None) -> bytes | None:
        url = f"{self.address}/v1/kv/{quote(key)}?{query}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise


@dataclass(frozen=True)
class Machine:
    """Runs commands on ``repository`` for the prefix and store of ``kv``."""

    repository: Repository
    home: Path
    kv: Kv

    def cli(self, *words: str, check: int | None = 0, stdin: str = "", **extra: str) -> CompletedProcess[str]:
        """Run a command to its end; ``check`` is the exit code that is expected."""
        return syncd(
            *words, cwd=self.repository.folder, home=self.home, check=check, stdin=stdin, **{**self._settings, **extra}
        )

    def json(self, *words: str, check: int | None = 0) -> Any:
        """Run a command with ``--output json`` and return what it printed."""
        return json.loads(self.cli(*words, "--output", "json", check=check).stdout)

    def run(self, *words: str, **extra: str) -> AbstractContextManager[Process]:
        """Run the daemon in the background."""
        return running("run", *words, cwd=self.repository.folder, home=self.home, **{**self._settings, **extra})

    def start(self, *words: str, **extra: str) -> AbstractContextManager[Process]:
        """Run a command in the background."""
        return running(*words, cwd=self.repository.folder, home=self.home, **{**self._settings, **extra})

    @property
    def socket(self) -> Path:
        """Where the daemon's socket stands."""
        return self.home / "syncd.sock"

    @property
    def api(self) -> Api:
        """The daemon's door."""
        return Api(self.socket)

    def other(self, name: str) -> "Machine":
        """Name another machine on the same repository and store."""
        return replace(self, home=self.home.with_name(name))

    @property
    def _settings(self) -> dict[str, str]:
        own = {"SYNCD_STORE_PREFIX": self.kv.prefix, "SYNCD_HTTP_SOCKET": str(self.socket)}
        return {"CONSUL_HTTP_ADDR": self.kv.address, **own}
