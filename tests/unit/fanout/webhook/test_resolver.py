"""Look-ups: shared by all who ask at once, bounded, and none waits for one that hangs."""

import asyncio
import threading

import pytest

from syncd.fanout.webhook import resolver as module
from syncd.fanout.webhook.resolver import Resolver
from tests.support.waiting import until


class Gates:
    """Look-ups that end when a test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._open: dict[str, threading.Event] = {}

    def gate(self, host: str) -> threading.Event:
        return self._open.setdefault(host, threading.Event())

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        assert self.gate(host).wait(60)
        return (f"address of {host}",)


async def asked(gates: Gates, number: int) -> None:
    async def reached() -> bool:
        return len(gates.asked) == number

    await until(reached, f"{number} look-ups")


async def test_those_who_ask_at_once_share_one_look_up() -> None:
    gates = Gates()
    resolver = Resolver(asyncio.get_running_loop(), gates)
    waiting = [asyncio.create_task(resolver.addresses("a")) for _ in range(10)]
    await asked(gates, 1)
    waiting[0].cancel()
    gates.gate("a").set()
    assert await asyncio.gather(*waiting[1:]) == [("address of a",)] * 9, "one who gives up takes nothing from the rest"
    assert await resolver.addresses("a") == ("address of a",)
    assert gates.asked == ["a", "a"], "an answer is not kept"


async def test_a_name_that_hangs_delays_no_other() -> None:
    gates = Gates()
    resolver = Resolver(asyncio.get_running_loop(), gates)
    hung = [asyncio.create_task(resolver.addresses(f"hung{number}")) for number in range(20)]
    gates.gate("well").set()
    assert await resolver.addresses("well") == ("address of well",)
    for number in range(20):
        gates.gate(f"hung{number}").set()
    await asyncio.gather(*hung)


async def test_look_ups_beyond_the_bound_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
    gates = Gates()
    resolver = Resolver(asyncio.get_running_loop(), gates)
    waiting = [asyncio.create_task(resolver.addresses(name)) for name in "abc"]
    await asked(gates, 2)
    gates.gate("a").set()
    await asked(gates, 3)
    for name in "bc":
        gates.gate(name).set()
    assert await asyncio.gather(*waiting) == [(f"address of {name}",) for name in "abc"]


def test_an_answer_that_comes_after_the_loop_has_closed_is_dropped() -> None:
    gates = Gates()

    async def ask() -> None:
        resolver = Resolver(asyncio.get_running_loop(), gates)
        task = asyncio.create_task(resolver.addresses("late"))
        await asked(gates, 1)
        task.cancel()

    asyncio.run(ask())
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "look-up of late")
    assert thread.daemon, "the process does not wait for it"
    gates.gate("late").set()
    thread.join(60)
    assert not thread.is_alive()
