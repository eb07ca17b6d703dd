"""The end of a connection, told in words."""

import ssl

import pytest

from syncd.fanout.webhook.connection import Connection


class Listening:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def answered(self, status: int, retry_after: bytes) -> None:
        self.heard.append(status)

    def broken(self, why: str, *, untouched: bool) -> None:
        self.heard.append(why)


class Wire:
    """As much of a transport as a request needs."""

    closing = aborted = False

    def write(self, _: bytes) -> None: ...

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.aborted = True


def connected(owner: Listening, wire: Wire) -> Connection:
    connection = Connection(owner)
    connection.connection_made(wire)  # type: ignore[arg-type]  # as much of it as is needed
    return connection


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (None, "the connection was closed before an answer"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (TimeoutError(110, "Connection timed out"), "connection timed out"),
        (ssl.SSLError(1, "[SSL: \x1b[31m\n" + "x" * 900), "[ssl: \\x1b[31m\\nxxx"),
        (RuntimeError("hunter2"), "before an answer: runtimeerror"),
    ],
)
def test_a_connection_that_breaks_is_told_in_one_short_line(error: Exception | None, why: str) -> None:
    owner = Listening()
    connection = connected(owner, Wire())
    connection.request(b"", b"")
    connection.connection_lost(error)
    (said,) = owner.heard
    assert isinstance(said, str)
    assert why in said
    assert said.isprintable()
    assert len(said) < 300


def test_a_connection_that_breaks_while_nothing_is_asked_is_no_news() -> None:
    owner = Listening()
    Connection(owner).connection_lost(None)
    assert owner.heard == []


def test_what_comes_while_nothing_is_asked_closes_the_connection_and_is_no_news() -> None:
    owner, wire = Listening(), Wire()
    connection = connected(owner, wire)
    connection.data_received(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
    assert (owner.heard, wire.aborted) == ([], True)
    assert not connection.request(b"POST", b"")


def test_a_connection_that_is_closing_cannot_be_used_though_nobody_was_told_yet() -> None:
    wire = Wire()
    connection = connected(Listening(), wire)
    assert connection.request(b"POST", b"")
    wire.closing = True
    assert not connection.request(b"POST", b"")
