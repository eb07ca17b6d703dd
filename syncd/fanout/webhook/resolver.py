"""Looking names up, where one name that hangs delays no other."""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

LookUp = Callable[[str], tuple[str, ...]]

MOST_AT_ONCE: Final = 64


def look_up(host: str) -> tuple[str, ...]:
    """Ask the system's resolver for the addresses of a name, best first; OSError if it has none. Blocks."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Looks up each name on a thread of its own, once for all who ask at the same time.

    Not on the loop's executor: uvloop's has two threads for this, and both kinds are waited for when the process ends,
    which a resolver without an answer would delay by half a minute.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, look_up: LookUp = look_up) -> None:
        self._loop = loop
        self._look_up = look_up
        self._asked: dict[str, asyncio.Future[tuple[str, ...] | OSError]] = {}
        self._waiting: deque[str] = deque()
        self._running = 0

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a name; OSError if it has none."""
        answer = self._asked.get(host)
        if answer is None:
            answer = self._asked[host] = self._loop.create_future()
            self._waiting.append(host)
            self._start()
        found = await asyncio.shield(answer)
        if isinstance(found, OSError):
            raise found
        return found

    def _start(self) -> None:
        while self._waiting and self._running < MOST_AT_ONCE:
            self._running += 1
            name = self._waiting.popleft()
            threading.Thread(target=self._ask, args=(name,), name=f"look-up of {name}", daemon=True).start()

    def _ask(self, host: str) -> None:
        found: tuple[str, ...] | OSError
        try:
            found = self._look_up(host)
        except OSError as error:
            found = error
        except UnicodeError:  # the resolver's own codec refuses a few names that look well
            found = OSError("no name that can be looked up")
        with suppress(RuntimeError):  # the loop has closed meanwhile: nobody asks any more
            self._loop.call_soon_threadsafe(self._found, host, found)

    def _found(self, host: str, found: tuple[str, ...] | OSError) -> None:
        self._running -= 1
        self._asked.pop(host).set_result(found)
        self._start()
