"""``syncd run`` as a service: what it tells the service manager, and what a reload does."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.machine import Kv, Machine
from tests.support.process import COMMAND, Process, environment, running
from tests.support.repository import TREE
from tests.support.service_manager import ServiceManager, service_manager

BEGINNING = f"""\
[source]
path = "{TREE}"
[store]
prefix = "PREFIX"
"""
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Make standard input the session's terminal, as a person's shell has it."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path / "notify") as manager:
        yield manager


@pytest.fixture
def file(local: Machine) -> Path:
    """The settings of a daemon that follows the machine's repository."""
    file = local.home / "syncd.toml"
    file.write_text(BEGINNING.replace("PREFIX", local.kv.prefix))
    return file


@contextmanager
def service(machine: Machine, file: Path, manager: ServiceManager, *words: str) -> Iterator[Process]:
    """Run the daemon on that file, as a service, and wait until it is ready."""
    place = {"CONSUL_HTTP_ADDR": machine.kv.address, **manager.environment}
    arguments = ("run", "--config", str(file), *words)
    with running(*arguments, cwd=machine.repository.folder, home=machine.home, **place) as daemon:
        manager.wait_for("READY=1")
        yield daemon


COMMAND_ELSEWHERE = """
import sys
from pathlib import Path
from syncd.settings import defaults
from syncd.cli import main
defaults.RUN_FOLDER, defaults.SYSTEM_FOLDER = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
main()
"""
"""A command on a machine whose /run and /etc/syncd are those of the test."""


@pytest.mark.parametrize(("name", "unit"), [("syncd.toml", "syncd"), ("shop.toml", "syncd-shop")])
def test_a_command_finds_the_service_of_its_settings_and_no_other_trees(
    local: Machine, manager: ServiceManager, name: str, unit: str
) -> None:
    runtime, system = local.home / "run", local.home / "etc"
    system.mkdir()
    file, other = system / name, system / "elsewhere" / "syncd.toml"
    file.write_text(BEGINNING.replace("PREFIX", local.kv.prefix))
    (runtime / unit).mkdir(parents=True)
    place = {"CONSUL_HTTP_ADDR": local.kv.address}
    own = {"RUNTIME_DIRECTORY": str(runtime / unit), "STATE_DIRECTORY": str(local.home / "state")}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", COMMAND_ELSEWHERE, str(runtime), str(system), *words],
            cwd=local.repository.folder,
            env=environment(local.home, **place),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run = ("run", "--config", str(file))
    with running(*run, cwd=local.repository.folder, home=local.home, **place, **own, **manager.environment):
        manager.wait_for("READY=1")
        assert "Nobody is told." in command("subscribers", "list", "--config", str(file)).stdout
        assert "no daemon answers" not in command("status", "--config", str(file)).stdout
        for setting in ("--prefix=another", "--path=config"):
            done = command("subscribers", "list", "--config", str(file), setting)
            assert (done.returncode, "no daemon answers" in done.stderr) == (75, True)
        other.parent.mkdir()
        other.write_text(file.read_text().replace(local.kv.prefix, "another"))
        assert command("subscribers", "list", "--config", str(other)).returncode == 75
        assert command("subscribers", "list", "--config", str(file), "--state-directory", "x").returncode == 75


def reload(daemon: Process) -> None:
    daemon.process.send_signal(signal.SIGHUP)


def test_it_is_ready_when_the_store_is_in_sync_and_the_status_follows_each_commit(
    local: Machine, file: Path, manager: ServiceManager
) -> None:
    first = local.repository.git("rev-parse", "--short=7", "HEAD")
    with service(local, file, manager) as daemon:
        assert manager.status == f"in sync at {first}, 4 keys"
        assert local.kv.get("brain/model") == b"qwen2.5:3b"
        second = local.repository.commit({"tts.yaml": None})
        manager.wait_for_status(f"in sync at {second[:7]}, 3 keys")
        local.repository.commit({"brain.yaml": "["})
        manager.wait_for_status(f"in sync at {second[:7]}, 3 keys; commit ")
        assert daemon.stop() == 0
        manager.wait_for("STOPPING=1")
        assert manager.count("READY=1") == 1


def test_a_store_that_is_away_does_not_keep_it_from_being_ready(
    local: Machine, file: Path, manager: ServiceManager
) -> None:
    away = replace(local, kv=Kv("http://127.0.0.1:1", local.kv.prefix))
    with service(away, file, manager) as daemon:
        assert manager.status.startswith("the store does not answer: ")
        assert daemon.stop() == 0


def test_a_refused_plan_does_not_keep_it_from_being_ready(local: Machine, file: Path, manager: ServiceManager) -> None:
    local.kv.put("brain/model", b"by hand")
    with service(local, file, manager):
        assert manager.status.startswith("refused: ")


def test_a_reload_takes_new_settings_into_force_and_frees_what_was_held(
    local: Machine, file: Path, manager: ServiceManager
) -> None:
    other = Kv(local.kv.address, f"{local.kv.prefix}-other")
    with service(local, file, manager) as daemon:
        file.write_text(BEGINNING.replace("PREFIX", other.prefix) + '[log]\nlevel = "debug"\n')
        reload(daemon)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1", 2)
        assert other.get("brain/model") == b"qwen2.5:3b"
        assert re.search(r"reloading  changed='.*store\.prefix, .*log\.level", daemon.output)
        assert (local.kv.held(), other.held()) == (False, True)
        local.repository.commit({"brain.yaml": "model: new\n"})
        daemon.wait_for(lambda: other.get("brain/model") == b"new")
        assert local.kv.get("brain/model") == b"qwen2.5:3b"
        assert daemon.stop() == 0
        assert not other.held()


def test_a_reload_takes_up_a_new_subscriber(local: Machine, file: Path, manager: ServiceManager) -> None:
    template, made = local.home / "model.j2", local.home / "model"
    template.write_text('{{ key("brain/model") }}')
    with service(local, file, manager) as daemon:
        with file.open("a") as settings:
            settings.write(f'[[subscriber]]\nname = "model"\nfile = "{made}"\ntemplate = "{template}"\n')
        reload(daemon)
        daemon.wait_for(lambda: made.exists() and made.read_text() == "qwen2.5:3b")
        assert "reloading  changed=subscribers" in daemon.output
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[log]\nlevel = 5\n", r"syncd.toml:6:1: log.level: "),
        ("[log\n", r"syncd.toml:5:5: "),
        ("[source2]\n", r"syncd.toml:5:2: there is no setting source2"),
    ],
)
def test_settings_that_cannot_be_read_leave_the_old_ones_in_force(
    local: Machine, file: Path, manager: ServiceManager, line: str, told: str
) -> None:
    with service(local, file, manager) as daemon:
        status = manager.status
        file.write_text(BEGINNING.replace("PREFIX", "elsewhere") + line)
        reload(daemon)
        manager.wait_for("READY=1", 2)
        assert manager.status == status
        assert re.search(f"the new settings cannot be used, the old ones stay  why=.*{told}", daemon.output)
        assert local.kv.held()
        local.repository.commit({"brain.yaml": "model: new\n"})
        daemon.wait_for(lambda: local.kv.get("brain/model") == b"new")


def test_settings_that_nothing_can_be_opened_with_lead_back_to_the_old_ones(
    local: Machine, file: Path, manager: ServiceManager
) -> None:
    with service(local, file, manager) as daemon:
        file.write_text(BEGINNING.replace("PREFIX", "elsewhere").replace("[source]", '[source]\nbranch = "nowhere"'))
        reload(daemon)
        daemon.wait_for_output("there is no branch 'nowhere'")
        manager.wait_for("READY=1", 2)
        local.repository.commit({"brain.yaml": "model: new\n"})
        daemon.wait_for(lambda: local.kv.get("brain/model") == b"new")
        file.write_text(BEGINNING.replace("PREFIX", local.kv.prefix))
        reload(daemon)
        daemon.wait_for_output("reloading  changed='no setting'")
        manager.wait_for("READY=1", 3)
        assert daemon.stop() == 0


def test_the_embedded_store_stays_up_over_a_reload(local: Machine, file: Path, manager: ServiceManager) -> None:
    state = local.home / "state"
    arguments = ("--embedded", "--embedded-port", "0")
    file.write_text(f'state_directory = "{state}"\n' + BEGINNING.replace("PREFIX", "first"))
    with service(local, file, manager, *arguments) as daemon:
        found = re.search(r"address=(\S+)", daemon.output)
        assert found
        kv = Kv(found[1], "second")
        kv.put("foreign", b"stays")
        file.write_text(f'state_directory = "{state}2"\n' + BEGINNING.replace("PREFIX", "second"))
        reload(daemon)
        manager.wait_for("READY=1", 2)
        assert kv.get("foreign") == b"stays"
        assert kv.get("brain/model") == b"qwen2.5:3b"
        assert "the embedded store stays where it is until a restart" in daemon.output
        assert not Path(f"{state}2").exists()
        assert daemon.stop() == 0


def test_sigterm_in_the_middle_of_a_reload_still_ends_in_order(
    local: Machine, file: Path, manager: ServiceManager
) -> None:
    with service(local, file, manager) as daemon:
        reload(daemon)
        assert daemon.stop() == 0
        assert not local.kv.held()


def test_on_a_terminal_sighup_means_that_it_was_closed(local: Machine) -> None:
    settings = {"CONSUL_HTTP_ADDR": local.kv.address, "SYNCD_STORE_PREFIX": local.kv.prefix}
    person, terminal = pty.openpty()
    daemon = subprocess.Popen(
        [sys.executable, "-ISc", ON_TERMINAL, *COMMAND, "run"],
        cwd=local.repository.folder,
        env=environment(local.home, **settings),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    while b"applied" not in seen:
        seen += os.read(person, 65536)
    assert local.kv.held()
    os.close(person)
    assert daemon.wait(timeout=20) == 0
    assert not local.kv.held()
