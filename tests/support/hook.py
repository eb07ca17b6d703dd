"""A webhook receiver on a thread of its own, for daemons in other processes and in this one.

It verifies each signature with the Standard Webhooks library, keeps what came, and answers as the test says::

    with hook() as there:
        write(folder / "syncd.toml", there.subscriber("all", folder))
        ...
        there.wait_for_tries(2)
        assert there.replica.keys == {...}

        there.hold()                 # the next requests wait ...
        there.wait_for_tries(3)
        there.release(204)           # ... and are answered now, as all that follow

        there.answers = lambda got: 500
"""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import standardwebhooks

from syncd.core.subscriber import Filter, Subscriber, Webhook
from tests.support.replica import Replica
from tests.support.waiting import LIMIT, wait_until

SECRET: Final = "whsec_" + base64.b64encode(b"the key of every hook in tests").decode()


@dataclass
class Got:
    """One try: the message's id, its body, and what was answered, None as long as nothing was."""

    id: str
    body: dict[str, Any]
    status: int | None = None

    @property
    def kind(self) -> str:
        """The event's type without what all have in common."""
        return str(self.body["type"]).removeprefix("syncd.").removesuffix(".v1")

    @property
    def values(self) -> dict[str, str | None]:
        """Each key that is told of with its new value; None where there is none, or it is not told."""
        return {each["key"]: each.get("new") for each in self.body["data"]["changes"]}


class Hook:
    """Made by ``hook``. ``replica`` is what a subscriber knows that keeps to what it answered with 2xx.

    ``answers`` chooses the status; with a minus it is taken all the same, as by a receiver whose answer gets lost.
    ``faults`` are exceptions in the receiver, a bad signature among them.
    """

    def __init__(self) -> None:
        self.tries: list[Got] = []
        self.replica = Replica()
        self.faults: list[Exception] = []
        self.answers: Callable[[Got], int] = lambda _: 204
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    @property
    def ids(self) -> list[str]:
        return [got.id for got in self.tries]

    def subscriber(self, name: str, folder: Path, *fields: str) -> str:
        """Write the subscriber's table for ``syncd.toml``; its secret goes into a file of that folder."""
        words = [f'name = "{name}"', f'webhook = "{self.url}"', f'secret_file = "{_secret(folder)}"', *fields]
        return "\n".join(["[[subscriber]]", *words, ""])

    def webhook(self, name: str, folder: Path, filter_: Filter | None = None) -> Subscriber:
        """Make the same as a value, for a daemon of this process."""
        return Subscriber(name, Webhook(self.url, str(_secret(folder))), filter_ or Filter())

    def hold(self) -> None:
        """Let what comes from now on wait for its answer."""
        self._open.clear()

    def release(self, status: int = 204) -> None:
        """Answer what waits and whatever comes."""
        self.answers = lambda _: status
        self._open.set()

    def wait_for_tries(self, count: int) -> None:
        """Wait until so many tries were made."""
        wait_until(lambda: len(self.tries) >= count, f"{count} tries", lambda: f"\n{self.tries}")

    def take(self, headers: dict[str, str], content: bytes) -> int:
        """Take one request and return the status to answer with."""
        standardwebhooks.Webhook(SECRET).verify(content, headers)
        body = json.loads(content)
        got = Got(headers["webhook-id"], body)
        assert got.id == body["id"]
        with self._lock:
            self.tries.append(got)
        assert self._open.wait(LIMIT)
        with self._lock:
            got.status = self.answers(got)
            if got.status < 300:
                self.replica.take(body)
        return abs(got.status)


def _secret(folder: Path) -> Path:
    path = folder / "hook.secret"
    path.write_text(SECRET)
    return path


@contextmanager
def hook(port: int = 0) -> Iterator[Hook]:
    """Receive until the end of the block; then fail if anything was wrong with what came."""
    there = Hook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            content = self.rfile.read(int(headers["content-length"]))
            try:
                status = there.take(headers, content)
            except Exception as error:  # noqa: BLE001  # the test is told, whatever it is
                there.faults.append(error)
                status = 400
            with suppress(OSError):  # whoever asked is dead
                self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            pass  # connections of daemons that were killed

    server = Server(("127.0.0.1", port), Handler)
    there.port = server.server_port
    serving = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), daemon=True)
    serving.start()
    try:
        yield there
    finally:
        there._open.set()
        server.shutdown()
        server.server_close()
        serving.join()
    assert there.faults == []


@contextmanager
def deaf(port: int) -> Iterator[None]:
    """Hold a port whose connections are never made: nothing that is sent there gets anywhere, and nobody says no."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        place = listening.getsockname()
        with socket.create_connection(place), socket.socket() as more:
            more.setblocking(False)
            with suppress(BlockingIOError):
                more.connect(place)
            yield
