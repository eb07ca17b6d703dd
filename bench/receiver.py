"""A receiver of webhooks for the bench: answers 204 and keeps the connection; never answers where the path is /hang.

.venv/bin/python bench/receiver.py

It listens on every address of 127.0.0.0/8, says its port on its standard output, and ends with its standard input. It
reads no more of a request than its length, so that the clients are what is measured.
"""

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 204 No Content\r\nServer: bench\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\n\r\n"


class Receiving(asyncio.Protocol):
    def __init__(self) -> None:
        self._missing = 0
        self._head = b""
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._head = b""
            start = data.index(b"Content-Length: ", 0, end) + 16
            length = int(data[start : data.index(b"\r", start)])
            self._silent = data.startswith(b"POST /hang")
            self._missing = end + 4 + length - len(data)
        assert self._missing >= 0
        if not self._missing and not self._silent:
            self._transport.write(ANSWER)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiving, "0.0.0.0", 0, backlog=4096)  # all of 127.0.0.0/8
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
