"""When the service is ready, what its status says, and when its heartbeat stops."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncd.core.timing import BACKOFF_LIMIT
from syncd.daemon.service import GRACE_SECONDS, QUERY_SECONDS, Service
from syncd.daemon.watch import WAIT_SECONDS
from syncd.store.transport import PATIENCE, deadline
from tests.support.service_manager import ServiceManager, service_manager
from tests.support.waiting import until


class Clock:
    """Goes on only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    """A service manager whose watchdog is impatient, so that the heartbeat is fast."""
    with service_manager(tmp_path / "notify", watchdog=0.02) as manager:
        yield manager


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(manager: ServiceManager, clock: Clock) -> Service:
    return Service(manager.environment, clock=clock)


async def until_beats(manager: ServiceManager, number: int) -> None:
    async def enough() -> bool:
        return manager.beats >= number

    await until(enough, f"no {number} signs of life")


async def until_told(logs: list[EventDict], event: str) -> None:
    async def told() -> bool:
        return any(line["event"] == event for line in logs)

    await until(told, f"no word of {event!r}")


def test_the_first_pass_makes_it_ready_and_the_status_is_told_as_it_changes(
    manager: ServiceManager, service: Service
) -> None:
    for status in ("the store does not answer: x", "in sync at 1a2b3c4, 9 keys", "in sync at 1a2b3c4, 9 keys", "a\nb"):
        service.passed(status)
    service.stopping()
    manager.wait_for("STOPPING=1")
    assert [message["STATUS"] for message in manager.messages] == [
        "the store does not answer: x",
        "in sync at 1a2b3c4, 9 keys",
        r"a\nb",
        "stopping",
    ]
    assert [manager.count("READY=1"), manager.messages[0]["READY"]] == [1, "1"]


@pytest.mark.parametrize("anew", [False, True], ids=["which came to nothing", "after the next pass"])
def test_a_reload_ends_with_being_ready_again(manager: ServiceManager, service: Service, anew: bool) -> None:
    service.passed("in sync")
    service.reloading()
    service.passed("in sync")  # a pass that was under way
    if anew:
        service.begin()
        service.passed("in sync")
    else:
        service.unchanged()
    manager.wait_for("READY=1", 2)
    assert [(m.get("RELOADING"), m.get("READY"), m["STATUS"]) for m in manager.messages] == [
        (None, "1", "in sync"),
        ("1", None, "reloading"),
        (None, "1", "in sync"),
    ]


# promise 18
async def test_the_heartbeat_stops_while_a_loop_is_late_and_goes_on_when_it_comes_round(
    manager: ServiceManager, service: Service, clock: Clock
) -> None:
    git, lease = service.pulse("git"), service.pulse("lease")
    git.tick(5.0)
    with capture_logs() as logs:
        async with service.watched():
            await until_beats(manager, 3)
            clock.now += 5.0 + manager.watchdog + 0.001
            lease.tick(5.0)
            await until_told(logs, "a loop is stuck")
            assert service.late() == ("git",)
            heard = manager.beats
            clock.now += 1.0
            await asyncio.sleep(0)
            assert manager.beats == heard
            git.tick(5.0)
            await until_told(logs, "every loop comes round again")
            await until_beats(manager, heard + 3)
    assert [line.get("loops") for line in logs] == ["git", None]


async def test_a_loop_that_rests_or_is_stopped_does_not_stop_the_heartbeat(
    manager: ServiceManager, service: Service, clock: Clock
) -> None:
    service.pulse("pass").tick(5.0)
    service.pulse("pass").rest()
    service.pulse("git").tick(5.0)
    service.forget()
    clock.now += 1e6
    async with service.watched():
        await until_beats(manager, 3)


async def test_a_long_start_that_makes_progress_is_given_more_time(manager: ServiceManager, service: Service) -> None:
    async with service.watched():
        await until_beats(manager, 2)
        service.passed("in sync")
        await until_beats(manager, manager.beats + 3)
    extended = ["EXTEND_TIMEOUT_USEC" in message for message in manager.messages if "WATCHDOG" in message]
    assert extended[:2] == [True, True]
    assert extended[-1] is False


async def test_without_a_service_manager_a_stuck_loop_is_still_told(clock: Clock) -> None:
    service = Service({}, clock=clock)
    service.pulse("git").tick(5.0)
    clock.now += 5.0 + GRACE_SECONDS + 1
    with capture_logs() as logs:
        async with service.watched():
            await until_told(logs, "a loop is stuck")
            service.passed("in sync")
    assert len(logs) == 1


def test_a_service_manager_that_is_gone_is_told_of_once(tmp_path: Path, clock: Clock) -> None:
    service = Service({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "nonsense"}, clock=clock)
    with capture_logs() as logs:
        service.passed("in sync")
        service.passed("not in sync")
    assert [line["event"] for line in logs] == ["the service manager cannot be told how it goes"]


# promise 18
def test_a_watch_of_a_store_that_never_answers_ends_within_its_time() -> None:
    query = deadline((("index", 1), ("wait", f"{WAIT_SECONDS}s")))
    assert 2 * query + 2 * PATIENCE + BACKOFF_LIMIT < QUERY_SECONDS
