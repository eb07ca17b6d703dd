"""Fault 24: names that lead to private places, or elsewhere at the next look-up."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from syncd.fanout.sender import Result
from tests.support.receiver import receiver, reply
from tests.support.telling import Telling

BUT = "only a subscriber in the settings may have such an address"


class Names:
    """A resolver whose answers change from one look-up to the next; the last one stays."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("10.0.0.5", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1%lo", "a link-local address"),
        ("::ffff:127.0.0.1", "a loopback address"),
    ],
)
async def test_a_name_of_the_catalog_that_leads_inside_is_refused(telling: Telling, address: str, kind: str) -> None:
    told = telling("http://a.example/", trusted=False, look_up=Names((address,)))
    assert await told.tell() == Result("failed", f"refused: a.example resolves to {address}, {kind}; {BUT}")


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
async def test_an_odd_spelling_is_judged_by_where_the_systems_resolver_says_it_leads(
    telling: Telling, host: str
) -> None:
    async with receiver() as there:
        told = telling(there.at(host), trusted=False)
        said = f"refused: {host} resolves to 127.0.0.1, a loopback address; {BUT}"
        assert await told.tell() == Result("failed", said)
        assert there.connections == 0
        assert await telling(there.at(host)).tell() == Result("delivered", "204"), "a person may write what they like"


async def test_one_refused_address_among_good_ones_refuses_all(telling: Telling) -> None:
    names = Names(("93.184.216.34", "169.254.169.254"))
    result = await telling("http://a.example/", trusted=False, look_up=names).tell()
    assert result.said.startswith("refused: a.example resolves to 169.254.169.254")


async def test_a_registered_address_may_be_private_but_not_link_local(telling: Telling) -> None:
    async with receiver() as there:
        assert await telling(there.url, trusted=False).tell() == Result("delivered", "204")
    metadata = telling("http://169.254.169.254/latest/meta-data/", trusted=False)
    assert await metadata.tell() == Result("failed", f"refused: 169.254.169.254 is a link-local address; {BUT}")


async def test_a_name_of_the_settings_may_lead_anywhere(telling: Telling) -> None:
    async with receiver() as there:
        assert await telling(there.at("a.example"), look_up=Names(("127.0.0.1",))).tell() == Result("delivered", "204")
        assert there.requests[0].headers["host"] == f"a.example:{there.port}"


async def test_the_address_that_was_checked_is_the_one_connected_to(telling: Telling) -> None:
    """A name that turns to loopback after the check is never followed: there is one look-up for a connection."""
    async with receiver() as trap:
        names = Names(("192.0.2.1",), ("127.0.0.1",))
        told = telling(trap.at("rebind.example"), look_up=names, timeout=0.3)
        assert (await told.tell()).outcome == "failed"
        assert names.asked == ["rebind.example"]
        assert trap.connections == 0


async def test_a_name_that_turns_inside_is_refused_at_its_next_connection(telling: Telling) -> None:
    async with receiver(reply(200, b"Connection: close\r\n")) as there:
        names = Names(("127.0.0.1",), ("169.254.169.254",))
        trusted = telling(there.at("flip.example"), look_up=names)
        assert (await trusted.tell()).outcome == "delivered"
        untrusted = telling(there.at("flip.example"), look_up=names, trusted=False)
        assert (await untrusted.tell()).said.startswith("refused: flip.example resolves to 169.254.169.254")
        assert there.connections == 1


async def test_a_kept_connection_asks_no_resolver_again(telling: Telling) -> None:
    async with receiver() as there:
        names = Names(("127.0.0.1",), ("192.0.2.1",))
        told = telling(there.at("a.example"), look_up=names)
        assert [(await told.tell()).outcome for _ in range(3)] == ["delivered"] * 3
        assert names.asked == ["a.example"]


async def test_the_next_address_is_tried_where_one_refuses(telling: Telling) -> None:
    async with receiver() as there:
        told = telling(there.at("two.example"), look_up=Names(("127.0.0.2", "127.0.0.1")))
        assert await told.tell() == Result("delivered", "204")


@contextmanager
def silent(host: str, port: int) -> Iterator[None]:
    """Listen and never accept, with the queue already full: a further connection is not even refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((host, port))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # its only parameter
            waiting.connect_ex((host, port))
        yield


async def test_an_address_that_stays_silent_costs_only_its_share_of_the_time(telling: Telling) -> None:
    async with receiver() as there:
        with silent("127.0.0.2", there.port):
            two = telling(there.at("two.example"), look_up=Names(("127.0.0.2", "127.0.0.1")), timeout=1.0)
            assert await two.tell() == Result("delivered", "204")
            one = telling(there.at("127.0.0.2"), timeout=0.3)
            assert await one.tell() == Result("failed", "no connection within 0.3s")
            both = telling(there.at("both.example"), look_up=Names(("127.0.0.2", "127.0.0.2")), timeout=0.4)
            assert (await both.tell()).said.startswith("no connection within 0.")


async def test_a_name_that_cannot_be_looked_up_is_said(telling: Telling) -> None:
    result = await telling("http://no-such-name.invalid/").tell()
    assert result.outcome == "failed"
    assert result.said.startswith("no-such-name.invalid cannot be looked up: ")


async def test_a_name_that_the_resolvers_codec_refuses_fails_like_any_other(telling: Telling) -> None:
    def strict(host: str) -> tuple[str, ...]:
        raise UnicodeError("label too long")

    result = await telling("http://a.example/", look_up=strict).tell()
    assert result == Result("failed", "a.example cannot be looked up: no name that can be looked up")
