"""What systemd sees of a service: a real notification socket, and whoever listens at it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until


class ServiceManager:
    """Keeps every message in order; ``watchdog`` is how many seconds it waits for a sign of life."""

    def __init__(self, place: Path, watchdog: float) -> None:
        self.watchdog = watchdog
        self._place = place
        self.messages: list[dict[str, str]] = []
        self.environment = {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": str(int(watchdog * 1e6))}
        self._beaten = time.monotonic()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.bind(str(place).replace("@", "\0", 1) if str(place).startswith("@") else str(place))
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def count(self, assignment: str) -> int:
        """Count the messages that hold an assignment such as ``READY=1``."""
        name, _, value = assignment.partition("=")
        return sum(message.get(name) == value for message in self.messages)

    @property
    def beats(self) -> int:
        """How many signs of life came."""
        return self.count("WATCHDOG=1")

    @property
    def status(self) -> str:
        """What ``systemctl status`` would show."""
        return next((message["STATUS"] for message in reversed(self.messages) if "STATUS" in message), "")

    def wait_for(self, assignment: str, times: int = 1) -> None:
        """Wait until an assignment came so many times."""
        wait_until(lambda: self.count(assignment) >= times, f"no {assignment} x{times}", lambda: str(self.messages))

    def wait_for_status(self, part: str) -> None:
        """Wait until the status holds a text."""
        wait_until(lambda: part in self.status, f"no status {part!r}", lambda: str(self.messages))

    def wait_until_it_would_kill(self) -> None:
        """Wait until no sign of life came for as long as the watchdog waits."""
        wait_until(lambda: time.monotonic() - self._beaten > self.watchdog, "it goes on to give signs of life")

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._door.getsockname())
        self._listener.join()
        self._door.close()
        self._place.unlink(missing_ok=True)

    def _listen(self) -> None:
        while text := self._door.recv(65536).decode():
            message = dict(line.split("=", 1) for line in text.splitlines())
            if "WATCHDOG" in message:
                self._beaten = time.monotonic()
            self.messages.append(message)


@contextmanager
def service_manager(place: Path, *, watchdog: float = 60.0) -> Iterator[ServiceManager]:
    """Listen at a socket, by its path or as an abstract one (``@name``)."""
    manager = ServiceManager(place, watchdog)
    try:
        yield manager
    finally:
        manager.close()
