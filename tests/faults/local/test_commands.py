"""Fault 25: a command that forks, ignores SIGTERM and prints a gigabyte; its group is killed, its output bounded."""

import asyncio
import errno
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd.core.subscriber import Command
from syncd.fanout import program
from syncd.fanout.command import CommandSender
from syncd.fanout.sender import Result
from tests.support.groups import gone, living, number_in
from tests.support.told import message, told


def shell(script: str, *arguments: object, limit: float = 60.0) -> CommandSender:
    return CommandSender("reload", Command(("sh", "-c", script, "sh", *map(str, arguments)), limit))


def descriptors() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


def children() -> set[str]:
    """Name this process's children, those that have ended and were not waited for among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture
def others() -> set[str]:
    """The children that other tests' fixtures keep: a Consul, a store."""
    return children()


@contextmanager
def few_descriptors(free: int) -> Iterator[None]:
    """Leave so many descriptors to this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()) + 20, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for number in taken[:free]:
            os.close(number)
        del taken[:free]
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in taken:
            os.close(number)


def printed(lines: list[dict[str, object]]) -> str:
    return "".join(str(line["output"]) for line in lines if "output" in line)


async def test_a_group_that_ignores_sigterm_is_killed_with_all_that_it_forked(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; (trap '' TERM; sleep 1000) & sleep 1000 & echo $$ > $1; while :; do sleep 1; done"
    sender = shell(stubborn, tmp_path / "pid", limit=0.5)
    assert await told(sender) == Result("failed", "no end in 500ms")
    await gone(await number_in(tmp_path / "pid"))


async def test_a_gigabyte_is_read_to_its_end_and_only_the_last_of_it_kept() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with capture_logs() as lines:
        result = await told(shell("yes | head -c 1G; echo the end; exit 7"))
    assert result == Result("failed", "exit 7")
    text = printed([dict(line) for line in lines])
    assert text.startswith("… ")
    assert text.endswith("y\nthe end\n")
    assert len(text) <= program.KEPT + 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # in KiB


async def test_others_are_told_while_a_command_prints_without_end(tmp_path: Path) -> None:
    loud = shell("echo $$ > $1; exec yes", tmp_path / "pid")
    loud.send(message(), lambda result: pytest.fail(f"{result}"))
    await number_in(tmp_path / "pid")
    assert [await told(shell("true")) for _ in range(5)] == [Result("delivered", "exit 0")] * 5
    await loud.close()
    await gone(await number_in(tmp_path / "pid"))


async def test_a_child_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    assert await told(shell("echo $$ > $1; sleep 1000 &", tmp_path / "pid")) == Result("delivered", "exit 0")
    await gone(await number_in(tmp_path / "pid"))


async def test_a_child_without_output_is_ended_with_its_group(tmp_path: Path) -> None:
    script = "echo $$ > $1; sleep 1000 < /dev/null > /dev/null 2>&1 &"
    assert await told(shell(script, tmp_path / "pid")) == Result("delivered", "exit 0")
    await gone(await number_in(tmp_path / "pid"))


async def test_what_a_child_prints_just_after_is_still_seen() -> None:
    with capture_logs() as lines:
        await told(shell("(sleep 0.05; echo late) & exit 1"))
    assert printed([dict(line) for line in lines]) == "late\n"


async def test_a_child_that_left_the_group_lives_on_and_is_not_waited_for(tmp_path: Path) -> None:
    """It may: this is how a command starts what shall last. It loses the output."""
    script = "setsid sh -c 'echo $$ > $0; exec sleep 1000' $1 & while [ ! -s $1 ]; do sleep 0.01; done"
    assert await told(shell(script, tmp_path / "pid")) == Result("delivered", "exit 0")
    group = await number_in(tmp_path / "pid")
    assert living(group) == ["sleep"]
    os.killpg(group, signal.SIGKILL)


async def test_a_stopped_group_is_killed_too(tmp_path: Path) -> None:
    sender = shell("echo $$ > $1; kill -STOP $$", tmp_path / "pid", limit=0.3)
    assert await told(sender) == Result("failed", "no end in 300ms")
    await gone(await number_in(tmp_path / "pid"))


async def test_giving_up_twice_leaves_nothing_running(tmp_path: Path) -> None:
    stubborn = shell("trap '' TERM; echo $$ > $1; while :; do sleep 0.1; done", tmp_path / "pid")
    stubborn.send(message(), lambda result: pytest.fail(f"{result}"))
    group = await number_in(tmp_path / "pid")
    await asyncio.gather(stubborn.close(), stubborn.close())
    await gone(group)


async def test_what_cannot_be_signalled_is_let_go_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program that has become another user; here the signals of this process are kept back instead."""

    def denied(group: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(program, "GRACE", 0.1)
    monkeypatch.setattr(os, "killpg", denied)
    sender = shell("echo $$ > $1; exec sleep 1000", tmp_path / "pid", limit=0.2)
    with pytest.warns(ResourceWarning, match="still running"):
        result = await told(sender)
    monkeypatch.undo()
    group = await number_in(tmp_path / "pid")
    os.killpg(group, signal.SIGKILL)
    await gone(group)
    assert result == Result("failed", "no end in 200ms, and it cannot be killed")


async def test_a_kernel_that_cannot_watch_a_process_is_a_failed_try_that_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, others: set[str]
) -> None:
    """Linux before 5.3."""

    def missing(pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    before = descriptors()
    monkeypatch.setattr(os, "pidfd_open", missing)
    assert await told(shell("sleep 1000")) == Result("failed", "cannot be started: sh: Function not implemented")
    assert descriptors() == before
    assert children() <= others


async def test_two_hundred_commands_at_once_leave_no_descriptor_child_task_or_thread(others: set[str]) -> None:
    await told(shell("true"))
    before = (len(descriptors()), threading.active_count(), len(asyncio.all_tasks()))
    scripts = ["true", "exit 1", "yes | head -c 200000", "sleep 0.2"]
    senders = [shell(scripts[number % 4], limit=30) for number in range(200)]
    results = await asyncio.gather(*(told(sender) for sender in senders))
    assert {result.said for result in results} == {"exit 0", "exit 1"}
    await asyncio.sleep(0)
    assert (len(descriptors()), threading.active_count(), len(asyncio.all_tasks())) == before
    assert children() <= others


async def test_no_descriptors_left_is_a_failed_try_that_leaves_nothing_behind(others: set[str]) -> None:
    """Whichever descriptor it is that cannot be had."""
    await told(shell("true"))
    seen = []
    for free in range(12):
        with few_descriptors(free):
            seen.append((await told(shell("true"))).said)
    assert seen == sorted(seen)
    assert set(seen) == {"exit 0", "cannot be started: sh: Too many open files"}
    assert (await told(shell("true"))).said == "exit 0"
    assert children() <= others
