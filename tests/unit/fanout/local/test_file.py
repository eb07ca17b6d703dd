"""A file is as its template says, changes in one step, and who reads it is told when it did."""

import asyncio
import grp
import os
import pwd
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd.core.event import ToldRevision
from syncd.core.subscriber import Command, File
from syncd.fanout.file import FileSender
from syncd.fanout.published import Published
from syncd.fanout.sender import Result
from tests.support.groups import gone, number_in
from tests.support.told import message, told

SECRET = "hunter2"


class Place:
    """A folder with a template, a file made from it, and a revision that moves on."""

    def __init__(self, root: Path) -> None:
        self.keys: dict[str, bytes] | None = {"model": b"small", "password": SECRET.encode()}
        self.template = root / "app.conf.j2"
        self.folder = root / "etc"
        self.file = self.folder / "app.conf"
        self.ran = root / "ran"
        self.owed = root / "state" / "app.owed"
        self.folder.mkdir()
        self.owed.parent.mkdir()
        self.template.write_text('model = {{ key("model") }}\n')

    def sender(self, *, command: Command | None = None, limit: float = 30.0, **fields: object) -> FileSender:
        """Make a sender; ``fields`` are those of its target."""
        target = File(str(self.file), str(self.template), command=command, **fields)  # type: ignore[arg-type] # any field
        return FileSender("app", target, self._view, self.owed, limit=limit)

    def noting(self, script: str = "") -> Command:
        """A command that notes the event, then does what the script says."""
        return Command(("sh", "-c", f'echo "$SYNCD_EVENT_ID" >> {self.ran}; {script}'))

    @property
    def events(self) -> list[str]:
        """For which events the command has run."""
        return self.ran.read_text().split() if self.ran.exists() else []

    @property
    def names(self) -> set[str]:
        return {entry.name for entry in self.folder.iterdir()}

    def mode(self) -> int:
        return self.file.stat().st_mode & 0o7777

    def _view(self) -> Published | None:
        return None if self.keys is None else Published("shop", dict(self.keys), ToldRevision("c0ffee"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# -- the file


async def test_the_file_is_rendered_and_left_alone_until_something_changes(place: Place) -> None:
    sender = place.sender()
    assert await told(sender) == Result("delivered", "written")
    assert place.file.read_text() == "model = small\n"
    before = place.file.stat()
    assert await told(sender) == Result("delivered", "unchanged")
    assert place.file.stat() == before
    place.keys = {"model": b"large"}
    assert await told(sender) == Result("delivered", "written")
    assert place.file.read_text() == "model = large\n"
    assert place.file.stat().st_ino != before.st_ino
    assert place.names == {"app.conf"}


async def test_a_changed_template_counts_from_the_next_event_on(place: Place) -> None:
    sender = place.sender()
    await told(sender)
    place.template.write_text("{{ prefix }} {{ revision.commit }}\n")
    assert await told(sender) == Result("delivered", "written")
    assert place.file.read_text() == "shop c0ffee\n"


async def test_what_somebody_wrote_into_the_file_is_written_over(place: Place) -> None:
    await told(place.sender())
    place.file.write_text("model = mine!\n")
    assert await told(place.sender()) == Result("delivered", "written")
    assert place.file.read_text() == "model = small\n"


async def test_before_the_store_was_read_nothing_is_written(place: Place) -> None:
    place.keys = None
    assert await told(place.sender()) == Result("failed", "the store has not been read yet")
    assert place.names == set()


async def test_modes_are_exactly_those_asked_for_whatever_the_umask(place: Place) -> None:
    before = os.umask(0o077)
    try:
        await told(place.sender(mode=0o644))
        assert place.mode() == 0o644
        assert await told(place.sender(mode=0o640)) == Result("delivered", "written")
        assert place.mode() == 0o640
    finally:
        os.umask(before)
    place.file.chmod(0o666)
    await told(place.sender(mode=0o600))
    assert place.mode() == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
async def test_owner_and_group_are_given_by_name_or_number(place: Place) -> None:
    await told(place.sender(owner="nobody", group="12"))
    found = place.file.stat()
    assert (found.st_uid, found.st_gid) == (pwd.getpwnam("nobody").pw_uid, 12)
    assert await told(place.sender(owner=str(found.st_uid), group=grp.getgrgid(12).gr_name)) == Result(
        "delivered", "unchanged"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
async def test_an_owner_that_is_not_asked_for_stays(place: Place) -> None:
    await told(place.sender())
    os.chown(place.file, 1234, 5678)
    place.keys = {"model": b"large"}
    assert await told(place.sender()) == Result("delivered", "written")
    assert (place.file.stat().st_uid, place.file.stat().st_gid) == (1234, 5678)
    assert await told(place.sender(group="12")) == Result("delivered", "written")
    assert (place.file.stat().st_uid, place.file.stat().st_gid) == (1234, 12)


async def test_an_unknown_owner_is_named_and_nothing_written(place: Place) -> None:
    result = await told(place.sender(owner="no-such-user"))
    assert result == Result("failed", "there is no user or group 'no-such-user' on this machine")
    assert place.names == set()


async def test_a_link_is_replaced_and_what_it_points_to_left_alone(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("model = small\n")
    place.file.symlink_to(other)
    assert await told(place.sender()) == Result("delivered", "written")
    assert not place.file.is_symlink()
    place.keys = {"model": b"large"}
    await told(place.sender())
    assert other.read_text() == "model = small\n"


async def test_what_a_killed_process_left_is_removed_and_files_of_others_are_not(place: Place) -> None:
    for name in (".app.conf.syncd-0a1b2c3d", ".app.conf", "app.conf.syncd-1", ".other.syncd-0a1b2c3d"):
        (place.folder / name).write_text("x")
    await told(place.sender())
    assert place.names == {"app.conf", ".app.conf", "app.conf.syncd-1", ".other.syncd-0a1b2c3d"}


# -- errors


async def test_a_missing_folder_is_named(place: Place) -> None:
    place.folder.rmdir()
    assert await told(place.sender()) == Result("failed", f"{place.folder}: No such file or directory")


async def test_a_missing_template_is_named(place: Place) -> None:
    place.template.unlink()
    assert await told(place.sender()) == Result("failed", f"{place.template}: No such file or directory")


async def test_a_template_that_is_a_pipe_is_refused_at_once(place: Place) -> None:
    place.template.unlink()
    os.mkfifo(place.template)
    assert await told(place.sender()) == Result("failed", f"{place.template}: this is no file")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
async def test_what_is_no_file_is_never_replaced(kind: str, place: Place) -> None:
    if kind == "folder":
        place.file.mkdir()
    else:
        os.mkfifo(place.file)
    assert await told(place.sender()) == Result("failed", f"{place.file}: something stands there that is no file")
    assert not place.file.is_file()
    assert place.names == {"app.conf"}


async def test_a_template_that_cannot_be_rendered_leaves_the_file_and_no_secret_anywhere(place: Place) -> None:
    await told(place.sender())
    place.template.write_text('{{ key("password") }}\n{{ {}[key("password")] }}\n')
    with capture_logs() as lines:
        result = await told(place.sender(command=place.noting()))
    assert result == Result("failed", f"{place.template}:2: an attribute or element is used that is not there")
    assert place.file.read_text() == "model = small\n"
    assert place.events == []
    assert SECRET not in repr(lines)


async def test_a_rendering_without_end_is_given_up_and_writes_nothing_later(place: Place) -> None:
    place.template.write_text("{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}")
    sender = place.sender(limit=0.2)
    assert await told(sender) == Result("failed", "no end in 200ms")
    place.template.write_text("better")
    await sender.close()
    assert await told(sender) == Result("delivered", "written")
    assert place.file.read_text() == "better"


async def test_closing_stops_a_rendering_and_tells_nobody(place: Place) -> None:
    place.template.write_text("{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}")
    sender = place.sender()
    sender.send(message(), lambda result: pytest.fail(f"{result}"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await sender.close()
    assert place.names == set()


class Hanging(dict[str, bytes]):
    """Keys that answer only when they are let: as a file system that hangs."""

    def __init__(self, **keys: bytes) -> None:
        super().__init__(keys)
        self.let = threading.Event()

    def get(self, key: str, default: Any = None) -> Any:
        self.let.wait()
        return super().get(key, default)


async def test_what_hangs_is_tried_no_second_time_until_it_has_ended(place: Place) -> None:
    hanging = Hanging(model=b"old")
    sender = FileSender(
        "app", File(str(place.file), str(place.template)), lambda: Published("shop", hanging), place.owed, limit=0.1
    )
    assert await told(sender) == Result("failed", "no end in 100ms")
    assert await told(sender) == Result("failed", "the try before has not ended yet")
    hanging.let.set()
    await sender.close()
    assert place.names == set()
    assert await told(sender) == Result("delivered", "written")


# -- the command and the signal that follow


async def test_the_command_follows_a_change_and_only_a_change(place: Place) -> None:
    sender = place.sender(command=place.noting(f"cmp {place.file} /dev/null && exit 1; true"))
    await told(sender, message("first"))
    assert await told(sender, message("second")) == Result("delivered", "unchanged")
    place.file.chmod(0o600)
    assert await told(sender, message("third")) == Result("delivered", "written")
    assert place.events == ["first"]
    place.keys = {"model": b"large"}
    assert await told(sender, message("fourth")) == Result("delivered", "written")
    assert place.events == ["first", "fourth"]
    assert not place.owed.exists()


async def test_a_command_that_failed_runs_again_although_the_file_is_right_by_now(place: Place, tmp_path: Path) -> None:
    command = place.noting(f"test -e {tmp_path}/repaired")
    assert await told(place.sender(command=command)) == Result("failed", "exit 1")
    assert place.file.read_text() == "model = small\n"
    assert await told(place.sender(command=command)) == Result("failed", "exit 1")
    (tmp_path / "repaired").touch()
    assert await told(place.sender(command=command), message("later")) == Result("delivered", "written")
    assert await told(place.sender(command=command)) == Result("delivered", "unchanged")
    assert place.events == ["e1", "e1", "later"]


async def test_closing_during_the_command_keeps_it_owed(place: Place) -> None:
    sender = place.sender(command=place.noting("echo $$ >> $0.pid; exec sleep 1000".replace("$0", str(place.ran))))
    sender.send(message(), lambda result: pytest.fail(f"{result}"))
    group = await number_in(Path(f"{place.ran}.pid"))
    await sender.close()
    await gone(group)
    assert await told(place.sender(command=place.noting()), message("after")) == Result("delivered", "written")
    assert place.events == ["e1", "after"]


@dataclass(frozen=True)
class Service:
    """A process that ends with code 7 at SIGHUP."""

    process: subprocess.Popen[bytes]
    pid_file: Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    script = f"trap 'exit 7' HUP; echo $$ > {tmp_path}/service.pid; while :; do sleep 0.02; done"
    with subprocess.Popen(["sh", "-c", script]) as process:
        yield Service(process, tmp_path / "service.pid")
        process.kill()


async def test_the_signal_reaches_the_process_of_the_pid_file_after_a_change(place: Place, service: Service) -> None:
    await number_in(service.pid_file)
    sender = place.sender(signal="HUP", pid_file=str(service.pid_file))
    assert await told(sender) == Result("delivered", "written")
    assert await asyncio.to_thread(service.process.wait) == 7
    assert await told(sender) == Result("delivered", "unchanged")


@pytest.mark.parametrize("text", ["", "0", "1", "-5", "nginx", "12 13", "99999999", "0x10", "١٢"])
async def test_a_pid_file_without_a_process_number_is_refused_and_the_signal_stays_owed(
    text: str, place: Place, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(text)
    sender = place.sender(signal="TERM", pid_file=str(pid_file))
    assert await told(sender) == Result("failed", f"{pid_file}: holds no process's number")
    pid_file.write_text(str(subprocess_that_ended()))
    assert (await told(sender)).said.endswith("cannot be signalled: No such process")
    pid_file.unlink()
    assert await told(sender) == Result("failed", f"{pid_file}: No such file or directory")
    assert place.file.exists()


def subprocess_that_ended() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


async def test_a_signal_follows_only_a_command_that_succeeded(place: Place, service: Service) -> None:
    await number_in(service.pid_file)
    sender = place.sender(command=place.noting("exit 1"), signal="HUP", pid_file=str(service.pid_file))
    assert await told(sender) == Result("failed", "exit 1")
    assert service.process.poll() is None


async def test_a_state_directory_that_is_gone_leaves_the_file_as_it_was(place: Place) -> None:
    place.owed.parent.rmdir()
    result = await told(place.sender(command=place.noting()))
    assert result == Result("failed", f"{place.owed}: No such file or directory")
    assert place.names == set()
    assert await told(place.sender()) == Result("delivered", "written")
