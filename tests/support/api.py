"""A running daemon's HTTP door, as programs use it; blocking."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from syncd.web.sockets import short_path


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = self.json["error"]
        return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path)


def connect(place: Path | tuple[str, int]) -> socket.socket:
    """Connect to a unix socket or a port."""
    if isinstance(place, tuple):
        return socket.create_connection(place, timeout=30)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(30)
    try:
        with short_path(place) as short:
            client.connect(short)
    except OSError:
        client.close()
        raise
    return client


class Told(NamedTuple):
    """One message of an event stream."""

    id: str
    type: str
    event: dict[str, Any]

    @property
    def keys(self) -> dict[str, str | None]:
        """The keys that it tells of, with their new values."""
        return {each["key"]: each.get("new") for each in self.event["data"]["changes"]}


class Following:
    """A client of the event stream; ``id`` is what it would come back with."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.comments: list[str] = []
        self.id = ""

    def next(self) -> Told:
        """Read on until a message is whole."""
        fields: dict[str, str] = {}
        while True:
            line = self._response.readline()
            assert line, "the stream ended"
            text = line.decode().removesuffix("\n")
            if text.startswith(":"):
                self.comments.append(text)
            elif text:
                name, _, value = text.partition(": ")
                fields[name] = value
            else:
                self.id = fields.pop("id", self.id)
                if "data" in fields:
                    return Told(self.id, fields["event"], json.loads(fields["data"]))


class Api:
    """The door at a unix socket or a port."""

    def __init__(self, place: Path | tuple[str, int]) -> None:
        self.place = place

    def _connection(self) -> http.client.HTTPConnection:
        if isinstance(self.place, tuple):
            return http.client.HTTPConnection(*self.place, timeout=30)
        return _UnixConnection(self.place)

    def call(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Got:
        connection = self._connection()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Got(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Got:
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, **fields: Any) -> Got:
        return self.call("POST", path, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    @contextmanager
    def follow(self, query: str = "", last: str = "") -> Iterator[Following]:
        """Follow the event stream."""
        connection = self._connection()
        try:
            connection.request("GET", f"/api/v1/events?{query}", headers={"Last-Event-ID": last} if last else {})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            following = Following(response)
            while not following.comments:
                line = response.readline().decode().rstrip("\n")
                if line.startswith(":"):
                    following.comments.append(line)
            yield following
        finally:
            connection.close()

    def raw(self, *parts: bytes) -> bytes:
        """Send bytes as they are and read until the other side closes."""
        with connect(self.place) as client:
            for part in parts:
                client.sendall(part)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Read until the other side closes, however it does that."""
    found = b""
    while True:
        try:
            part = client.recv(65536)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part


def config_key(key: str) -> str:
    """Name where a key is read."""
    return f"/api/v1/config/{quote(key)}"
