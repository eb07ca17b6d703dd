"""Faults 23 and 24: receivers that hang, drip, flood, redirect, vanish, and names that lead elsewhere."""

import asyncio
import socket
from contextlib import suppress
from http import HTTPStatus

import pytest

from syncd.fanout.sender import Message, Result
from tests.support.receiver import (
    Receiver,
    Step,
    Visit,
    drip,
    flood,
    hang,
    raw,
    receiver,
    reply,
    then_close,
    then_reset,
)
from tests.support.telling import Telling
from tests.support.waiting import LIMIT, until

SOON = 0.3
"""Seconds, as a timeout whose end is awaited."""
PATIENT = 60.0

OK = b"HTTP/1.1 200 OK\r\n"


async def test_a_receiver_that_hangs_is_given_up_at_the_deadline_and_its_connection_closed(telling: Telling) -> None:
    async with receiver(hang) as there:
        assert await telling(there.url, timeout=SOON).tell() == Result("failed", "no answer within 0.3s")
        await until(lambda: closed(there), "the connection is closed")


async def test_a_receiver_that_never_accepts_tls_is_given_up_at_the_deadline(telling: Telling) -> None:
    async with receiver() as there:  # which waits for the end of a head that never comes
        told = telling(there.url.replace("http:", "https:"), timeout=SOON)
        assert await told.tell() == Result("failed", "no connection within 0.3s")
        await until(lambda: closed(there), "the connection is closed")


async def test_a_name_whose_look_up_hangs_is_given_up_at_the_deadline(telling: Telling) -> None:
    loop = asyncio.get_running_loop()
    released = asyncio.Event()

    def hanging(host: str) -> tuple[str, ...]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
        return ("127.0.0.1",)

    told = telling("http://slow.example:1/", timeout=SOON, look_up=hanging)
    assert await told.tell() == Result("failed", "no connection within 0.3s")
    released.set()


@pytest.mark.parametrize("text", [OK, OK + b"Content-Len", b"H"], ids=["status line", "a header's name", "one byte"])
async def test_a_head_that_comes_byte_by_byte_is_given_up_at_the_deadline(telling: Telling, text: bytes) -> None:
    async with receiver(drip(text)) as there:
        assert await telling(there.url, timeout=SOON).tell() == Result("failed", "no answer within 0.3s")


async def test_a_whole_head_counts_though_its_body_drips_until_the_deadline(telling: Telling) -> None:
    async with receiver(raw(OK + b"Content-Length: 1000\r\n\r\nx")) as there:
        told = telling(there.url, timeout=SOON)
        assert await told.tell() == Result("delivered", "200")
        assert await told.tell() == Result("delivered", "200")
        assert there.connections == 2, "a connection in the middle of a reply is not used again"


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result("delivered", "200")),
        (202, Result("delivered", "202")),
        (301, Result("failed", "301 Moved Permanently: redirects are not followed")),
        (307, Result("failed", "307 Temporary Redirect: redirects are not followed")),
        (400, Result("failed", "400 Bad Request")),
        (410, Result("gone", "410 Gone")),
        (429, Result("failed", "429 Too Many Requests")),
        (500, Result("failed", "500 Internal Server Error")),
        (599, Result("failed", "599")),
    ],
)
async def test_the_status_decides_and_nothing_that_the_peer_wrote_is_repeated(
    telling: Telling, status: int, result: Result
) -> None:
    async with receiver(reply(status, b"Location: http://127.0.0.1:1/\r\n", b"\x1b[31msecret")) as there:
        told = telling(there.url)
        assert await told.tell() == result
        assert await told.tell() == result
        assert there.connections == 1, "an error is no reason to close"


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on(telling: Telling, status: int) -> None:
    async with receiver(reply(status, b"retry-AFTER: 120\r\n")) as there:
        assert (await telling(there.url).tell()).retry_after == 120


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: 10000000000\r\n\r\n",
        OK + b"\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: ",
    ],
    ids=["10 GB", "no length", "a chunk of 4 GB", "a trailer without an end"],
)
async def test_a_reply_without_an_end_is_cut_and_its_status_counts(telling: Telling, head: bytes) -> None:
    async with receiver(flood(head)) as there:
        assert await telling(there.url, timeout=PATIENT).tell() == Result("delivered", "200")
        await until(lambda: closed(there), "the connection is closed")


@pytest.mark.parametrize(
    "head", [OK + b"A: ", OK + b"A: b\r\n" * 10_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000],
    ids=["one header", "many headers", "1xx replies"],
)  # fmt: skip
async def test_a_head_without_an_end_is_refused(telling: Telling, head: bytes) -> None:
    async with receiver(flood(head)) as there:
        told = telling(there.url, timeout=PATIENT)
        assert await told.tell() == Result("failed", "the head of the reply is over 16 KiB")
        await until(lambda: closed(there), "the connection is closed")


@pytest.mark.parametrize(
    "text",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 two hundred\r\n\r\n", OK + b"Content-Length: -1\r\n\r\n", b"\x15\x03\x01"],
)
async def test_what_is_not_http_fails_and_is_not_repeated_to_the_log(telling: Telling, text: bytes) -> None:
    async with receiver(raw(text)) as there:
        assert await telling(there.url).tell() == Result("failed", "the reply is not HTTP/1.1")


async def test_a_reset_in_the_middle_of_the_head_fails(telling: Telling) -> None:
    async with receiver(then_reset(b"HTTP/1.1 200 O")) as there:
        told = telling(there.url)
        result = await told.tell()
        assert (result.outcome, there.connections) == ("failed", 1)
        assert result.said in {
            "the connection broke before an answer: connection reset by peer",
            "the connection was closed before an answer",  # uvloop, where half a reply came before the reset
        }


async def test_a_close_or_reset_in_the_middle_of_the_body_does_not_undo_the_status(telling: Telling) -> None:
    half = OK + b"Content-Length: 10\r\n\r\nhalf"
    async with receiver(then_close(half), then_reset(half)) as there:
        told = telling(there.url)
        assert await told.tell() == Result("delivered", "200")
        assert await told.tell() == Result("delivered", "200")


async def test_a_fresh_connection_that_breaks_before_an_answer_fails_at_once(telling: Telling) -> None:
    async with receiver(then_close(b"")) as there:
        assert await telling(there.url).tell() == Result("failed", "the connection was closed before an answer")
        assert len(there.requests) == 1


async def test_a_kept_connection_that_breaks_before_an_answer_is_replaced_once(telling: Telling) -> None:
    async with receiver(reply(204), then_reset(), reply(200), then_reset(), then_reset()) as there:
        told = telling(there.url)
        assert await told.tell() == Result("delivered", "204")
        assert await told.tell() == Result("delivered", "200")
        assert [request.headers["webhook-id"] for request in there.requests] == ["m1"] * 3, "the same message again"
        assert (await told.tell()).outcome == "failed", "but once only"
        assert (len(there.requests), there.connections) == (5, 3)


async def test_a_kept_connection_that_breaks_within_an_answer_is_not_replaced(telling: Telling) -> None:
    async with receiver(reply(204), then_close(b"HTTP/1.1 ")) as there:
        told = telling(there.url)
        await told.tell()
        assert await told.tell() == Result("failed", "the connection was closed before an answer")
        assert len(there.requests) == 2


async def test_an_idle_connection_that_the_peer_closed_is_noticed(telling: Telling) -> None:
    async with receiver(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as there:
        told = telling(there.url)
        for _ in range(3):
            assert await told.tell() == Result("delivered", "200")
            await until(lambda: closed(there), "the connection is closed")
        assert there.connections == 3


async def test_a_reply_that_nobody_asked_for_is_never_taken_for_the_next_one(telling: Telling) -> None:
    double = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
    async with receiver(raw(double), reply(204)) as there:
        told = telling(there.url)
        assert await told.tell() == Result("delivered", "200")
        assert await told.tell() == Result("delivered", "204")


async def test_what_comes_on_an_idle_connection_closes_it(telling: Telling) -> None:
    visits = list[Visit]()

    async def answer_and_remember(visit: Visit) -> None:
        visits.append(visit)
        await reply(204)(visit)

    async with receiver(answer_and_remember) as there:
        told = telling(there.url)
        await told.tell()
        await visits[0].say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await until(lambda: closed(there), "the connection is closed")
        assert await told.tell() == Result("delivered", "204")
        assert there.connections == 2


async def test_an_early_answer_to_a_large_body_counts_and_the_connection_is_not_used_again(telling: Telling) -> None:
    connections, ended = 0, asyncio.Event()

    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n")
        try:
            await ended.wait()
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(too_large, "127.0.0.1", 0) as server:
        told = telling(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=PATIENT)
        large = Message("large", b"x" * 50_000_000)  # more than any socket's buffers
        for _ in range(2):
            assert await told.tell(large) == Result("failed", f"413 {HTTPStatus(413).phrase}")
        assert connections == 2
        ended.set()


async def test_what_a_receiver_did_not_read_in_time_is_never_sent(telling: Telling) -> None:
    loop, large = asyncio.get_running_loop(), Message("large", b"x" * 50_000_000)  # more than any socket's buffers
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # its only parameter
        told = telling(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=SOON)
        assert await told.tell(large) == Result("failed", "no answer within 0.3s")
        connected, _ = await loop.sock_accept(listening)
        with connected:
            connected.setblocking(False)  # as above
            read = 0
            with suppress(ConnectionResetError):
                async with asyncio.timeout(LIMIT):
                    while came := len(await loop.sock_recv(connected, 1_000_000)):
                        read += came
            assert read < len(large.body)


async def test_the_deadline_of_a_message_that_was_delivered_ends_nothing(telling: Telling) -> None:
    async with receiver(reply(204), hang, reply(204)) as there:
        told = telling(there.url, timeout=SOON)
        assert await told.tell() == Result("delivered", "204")
        later = telling(there.url, timeout=SOON)
        assert (await later.tell()).outcome == "failed", "its deadline, which comes after the first one's, has passed"
        assert await told.tell() == Result("delivered", "204")
        assert there.connections == 2, "the first sender's is still the same"


async def test_a_large_body_arrives_whole(telling: Telling) -> None:
    large = Message("large", bytes(range(256)) * 4096)
    async with receiver() as there:
        assert await telling(there.url).tell(large) == Result("delivered", "204")
        assert there.requests[0].body == large.body


@pytest.mark.parametrize("steps", [[hang], [reply(204), hang]], ids=["fresh", "kept"])
async def test_closing_ends_what_is_under_way_without_a_word(telling: Telling, steps: list[Step]) -> None:
    async with receiver(*steps) as there:
        told = telling(there.url, timeout=PATIENT)
        for _ in steps[1:]:
            await told.tell()
        told.send()

        async def arrived() -> bool:
            return len(there.requests) == len(steps)

        await until(arrived, "the request is there")
        await told.sender.close()
        assert len(told.results) == len(steps) - 1


async def test_closing_while_connecting_ends_it(telling: Telling) -> None:
    async with receiver() as there:
        told = telling(there.url)
        told.send()
        assert len(asyncio.all_tasks()) == 2
        await told.sender.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert told.results == []
        assert there.requests == []


async def test_nobody_listening_is_said(telling: Telling) -> None:
    async with receiver() as there:
        url = there.url
    assert await telling(url).tell() == Result("failed", "connection refused")


async def closed(there: Receiver) -> bool:
    return there.open == 0
