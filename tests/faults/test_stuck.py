"""Fault 28: a loop of the daemon is stuck, and the watchdog ends the process. A store that is away is not that."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.support.consul import ConsulAgent, start_agent
from tests.support.process import Process, running
from tests.support.repository import Repository, seed_repository
from tests.support.service_manager import ServiceManager, service_manager

CALM: Final = 4.0
"""The lease's keeper comes round within 10 seconds, git within 5; by so many more they may be late."""
QUICK: Final = 1.0


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return seed_repository(tmp_path / "repository")


@contextmanager
def service(
    repository: Repository, home: Path, agent: ConsulAgent, prefix: str, *, watchdog: float, **more: str
) -> Iterator[tuple[Process, ServiceManager]]:
    """Run the daemon as a service, and wait until it is ready."""
    home.mkdir(exist_ok=True)
    with service_manager(home / "notify", watchdog=watchdog) as manager:
        place = {"CONSUL_HTTP_ADDR": agent.address, "SYNCD_STORE_PREFIX": prefix, **manager.environment}
        with running("run", cwd=repository.folder, home=home, **place, **more) as daemon:
            manager.wait_for("READY=1")
            yield daemon, manager


def demand_the_end(daemon: Process) -> None:
    """Do what systemd does then."""
    daemon.process.send_signal(signal.SIGABRT)
    assert daemon.process.wait(timeout=20) == -signal.SIGABRT


# promise 18
@pytest.mark.consul
def test_a_store_that_is_frozen_or_gone_leaves_the_heartbeat_going(repository: Repository, tmp_path: Path) -> None:
    with (
        start_agent(data_dir=tmp_path / "consul") as agent,
        service(repository, tmp_path / "home", agent, "config", watchdog=CALM) as (daemon, manager),
    ):
        agent.freeze()
        manager.wait_for("WATCHDOG=1", manager.beats + 8)
        agent.thaw()
        agent.kill()
        manager.wait_for_status("the store does not answer")
        manager.wait_for("WATCHDOG=1", manager.beats + 3)
        assert "a loop is stuck" not in daemon.output
        agent.restart()
        commit = repository.commit({"brain.yaml": "model: again\n"})
        manager.wait_for_status(f"in sync at {commit[:7]}")
        assert daemon.stop() == 0


# promise 18
def test_a_git_that_hangs_ends_the_heartbeat_and_a_restart_goes_on(
    repository: Repository, tmp_path: Path, consul: ConsulAgent, prefix: str
) -> None:
    with service(repository, tmp_path / "home", consul, prefix, watchdog=QUICK) as (daemon, manager):
        git = long_lived_git(daemon)
        os.kill(git, signal.SIGSTOP)
        daemon.wait_for_output("a loop is stuck  loops=git")
        manager.wait_until_it_would_kill()
        demand_the_end(daemon)
        os.kill(git, signal.SIGKILL)  # systemd ends the whole group
    with service(repository, tmp_path / "home", consul, prefix, watchdog=CALM) as (_, manager):
        assert manager.status.startswith("in sync at ")


# promise 18
def test_a_blocked_event_loop_ends_the_heartbeat_and_the_log_says_where(
    repository: Repository, tmp_path: Path, consul: ConsulAgent, prefix: str
) -> None:
    """A file system that hangs: here the token's file becomes a pipe where nobody writes."""
    token, pipe = tmp_path / "token", tmp_path / "pipe"
    token.write_text("some-token")
    home, more = tmp_path / "home", {"SYNCD_STORE_TOKEN_FILE": str(token)}
    with service(repository, home, consul, prefix, watchdog=CALM, **more) as (daemon, manager):
        os.mkfifo(pipe)
        pipe.rename(token)
        manager.wait_until_it_would_kill()
        demand_the_end(daemon)
        assert 'syncd/store/token.py", line' in daemon.output


def test_a_repository_that_is_gone_leaves_the_heartbeat_going(
    repository: Repository, tmp_path: Path, consul: ConsulAgent, prefix: str
) -> None:
    with service(repository, tmp_path / "home", consul, prefix, watchdog=CALM) as (daemon, manager):
        repository.folder.rename(tmp_path / "elsewhere")
        manager.wait_for_status("gone")
        manager.wait_for("WATCHDOG=1", manager.beats + 5)
        assert "a loop is stuck" not in daemon.output
        (tmp_path / "elsewhere").rename(repository.folder)
        commit = repository.commit({"brain.yaml": "model: back\n"})
        manager.wait_for_status(f"in sync at {commit[:7]}")


def long_lived_git(daemon: Process) -> int:
    """Return the process that reads the repository's objects; others come and go."""
    pid = daemon.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            if b"cat-file" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise AssertionError("no git runs")
