"""What a receiver gets, and how connections are kept."""

import asyncio
import base64
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from syncd import __version__
from syncd.core.subscriber import Webhook
from syncd.fanout.sender import Message, Result
from syncd.fanout.webhook.sender import IDLE_LIMIT
from syncd.fanout.webhook.webhooks import Webhooks
from tests.support.receiver import hang, raw, receiver, reply
from tests.support.telling import MESSAGE, Telling
from tests.support.waiting import until

OLD, NEW, OTHER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n", b"x"))


async def test_a_message_arrives_as_a_post_of_a_cloud_event(telling: Telling) -> None:
    async with receiver() as there:
        told = telling(there.at("127.0.0.1", "/hook?x=1"))
        told.now = 1_700_000_000.9
        assert await told.tell() == Result("delivered", "204")
        (got,) = there.requests
        assert (got.method, got.target, got.body) == ("POST", "/hook?x=1", MESSAGE.body)
        assert got.headers == {
            "host": f"127.0.0.1:{there.port}",
            "user-agent": f"syncd/{__version__}",
            "content-type": "application/cloudevents+json",
            "content-length": str(len(MESSAGE.body)),
            "webhook-id": "m1",
            "webhook-timestamp": "1700000000",
        }


async def test_the_specifications_library_verifies_with_each_of_the_secrets(telling: Telling, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{NEW}\n{OLD}\n")
    async with receiver() as there:
        assert await telling(there.url, secret_file=str(path)).tell() == Result("delivered", "204")
        (got,) = there.requests
        for secret in (OLD, NEW):
            assert Verifier(secret).verify(got.body, got.headers) == {"specversion": "1.0"}
        with pytest.raises(WebhookVerificationError):
            Verifier(OTHER).verify(got.body, got.headers)
        with pytest.raises(WebhookVerificationError):
            Verifier(NEW).verify(got.body + b" ", got.headers)


async def test_the_next_try_has_the_same_id_and_body_and_a_fresh_signature(telling: Telling, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(NEW)
    async with receiver(reply(500), reply(204)) as there:
        told = telling(there.url, secret_file=str(path))
        assert (await told.tell()).outcome == "failed"
        told.now += 60
        assert (await told.tell()).outcome == "delivered"
        first, second = there.requests
        assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
        assert int(second.headers["webhook-timestamp"]) == int(first.headers["webhook-timestamp"]) + 60
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_connection_is_kept_from_one_message_to_the_next(telling: Telling) -> None:
    async with receiver(
        raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), reply(200, b"", b"ok")
    ) as there:
        told = telling(there.url)
        for number in range(5):
            assert (await told.tell(Message(f"m{number}", b"{}"))).outcome == "delivered"
        assert there.connections == 1
        assert [got.headers["webhook-id"] for got in there.requests] == [f"m{number}" for number in range(5)]


async def test_a_receiver_that_closes_each_time_is_connected_to_each_time(telling: Telling) -> None:
    async with receiver(reply(200, b"Connection: close\r\n")) as there:
        told = telling(there.url)
        assert [(await told.tell()).outcome for _ in range(3)] == ["delivered"] * 3
        assert there.connections == 3


async def test_a_connection_that_was_idle_for_long_is_replaced(telling: Telling) -> None:
    async with receiver() as there:
        told = telling(there.url)
        await told.tell()
        told.sender._used -= IDLE_LIMIT  # as if that long had passed on the loop's clock
        await told.tell()
        assert there.connections == 2

        async def one_is_left() -> bool:
            return there.open == 1

        await until(one_is_left, "the old connection is closed")


async def test_the_next_message_may_be_sent_as_soon_as_the_last_one_ended(telling: Telling) -> None:
    async with receiver() as there:
        told = telling(there.url)
        ended = asyncio.get_running_loop().create_future()
        left = 5

        def again(result: Result) -> None:
            nonlocal left
            left -= 1
            if left:
                told.sender.send(MESSAGE, again)
            else:
                ended.set_result(result)

        told.sender.send(MESSAGE, again)
        assert await ended == Result("delivered", "204")
        assert (len(there.requests), there.connections) == (5, 1)


async def test_a_hung_receiver_delays_nobody_else() -> None:
    webhooks = Webhooks(wall_clock=lambda: 0.0)
    async with receiver(hang) as hung, receiver() as well:
        stuck = [webhooks.sender(Webhook(hung.url, timeout=60)) for _ in range(20)]
        others = [webhooks.sender(Webhook(well.url, timeout=60)) for _ in range(20)]
        heard, ended = list[str](), asyncio.Event()

        def done(result: Result) -> None:
            heard.append(result.said)
            if len(heard) == len(others):
                ended.set()

        for sender in stuck + others:
            sender.send(MESSAGE, done)
        await ended.wait()
        assert heard == ["204"] * 20, "all the others, and none that hangs"
        for sender in stuck + others:
            await sender.close()


async def test_an_ipv6_address_is_connected_to(telling: Telling) -> None:
    async with receiver(host="::1") as there:
        assert await telling(there.url).tell() == Result("delivered", "204")
        assert there.requests[0].headers["host"] == f"[::1]:{there.port}"


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://bob:hunter2@a.example/"])
async def test_a_url_that_cannot_be_used_is_refused_when_the_sender_is_made(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as refused:
        Webhooks(wall_clock=lambda: 0.0).sender(Webhook(url))
    assert "hunter2" not in str(refused.value)


async def test_secrets_that_cannot_be_used_are_refused_when_the_sender_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        Webhooks(wall_clock=lambda: 0.0).sender(Webhook("http://a.example/", str(tmp_path / "none")))
