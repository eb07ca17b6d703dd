"""A full disk, a folder that may not be written, kill -9 while writing: a file is the old one or the new one, whole."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.core.subscriber import Command, File
from syncd.fanout.file import FileSender
from syncd.fanout.published import Published
from syncd.fanout.sender import Result
from tests.support.told import told
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
NOBODY = 65534
WRITER = """
import asyncio, sys
from pathlib import Path
from syncd.core.subscriber import Command, File
from syncd.fanout.file import FileSender
from syncd.fanout.published import Published
from tests.support.told import told

async def write() -> None:
    root, turn = Path(sys.argv[1]), 0
    target = File(str(root / "etc/app.conf"), str(root / "app.j2"), command=Command(("touch", str(root / "ran"))))
    view = lambda: Published("shop", {"letter": b"ab"[turn % 2 : turn % 2 + 1]})
    sender = FileSender("app", target, view, root / "owed")
    while True:
        turn += 1
        assert (await told(sender)).outcome == "delivered"

asyncio.run(write())
"""
ONCE = """
import asyncio, os, sys
from pathlib import Path
from syncd.core.subscriber import Command, File
from syncd.fanout.file import FileSender
from syncd.fanout.published import Published
from tests.support.told import told

async def write() -> None:
    root = Path(sys.argv[1])
    (root / "writer").write_text(str(os.getpid()))
    command = Command((sys.executable, "-c", sys.argv[2]))
    target = File(str(root / "app.conf"), str(root / "app.j2"), command=command)
    result = await told(FileSender("app", target, lambda: Published("shop", {}), root / "owed"))
    print(result.outcome, result.said)

asyncio.run(write())
"""
LINES = 10_000


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no more into a file: what a full disk or a quota does, without root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def as_nobody(folder_mode: int) -> Iterator[Path]:
    """Be a user who is not root, and give a folder with a template and, in it, a folder of root's with that mode."""
    root, was_root = Path(tempfile.mkdtemp()), os.geteuid() == 0
    root.chmod(0o755)
    (root / "app.j2").write_text("text")
    (root / "app.j2").chmod(0o644)
    (root / "etc").mkdir()
    (root / "etc").chmod(folder_mode if was_root else folder_mode & 0o755)
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield root
    finally:
        if was_root:
            os.seteuid(0)
        (root / "etc").chmod(0o755)
        shutil.rmtree(root)


def in_etc(root: Path, owner: str = "") -> FileSender:
    target = File(str(root / "etc/app.conf"), str(root / "app.j2"), owner=owner)
    return FileSender("app", target, lambda: Published("shop", {}), root / "owed")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=False).returncode:
        pytest.skip("this container may not mount")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def sender_of(folder: Path, template: str, value: bytes) -> FileSender:
    (folder / "app.j2").write_text(template)
    target = File(str(folder / "app.conf"), str(folder / "app.j2"), command=Command(("touch", str(folder / "ran"))))
    return FileSender("app", target, lambda: Published("shop", {"value": value}), folder / "owed")


async def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    assert (await told(sender_of(tmp_path, '{{ key("value") }}', b"old"))).outcome == "delivered"
    (tmp_path / "ran").unlink()
    full = sender_of(tmp_path, '{{ key("value") }}', b"x" * 300_000)
    with files_of_at_most(100_000):
        assert await told(full) == Result("failed", f"{tmp_path / 'app.conf'}: File too large")
    assert (tmp_path / "app.conf").read_text() == "old"
    assert names(tmp_path) == {"app.conf", "app.j2"}
    assert (await told(full)).outcome == "delivered"
    assert (tmp_path / "app.conf").stat().st_size == 300_000
    assert (tmp_path / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system of its own")
async def test_a_file_system_without_space_leaves_the_old_file_and_nothing_beside_it(small: Path) -> None:
    assert (await told(sender_of(small, '{{ key("value") }}', b"old"))).outcome == "delivered"
    result = await told(sender_of(small, '{{ key("value") }}', b"x" * 100_000))
    assert result == Result("failed", f"{small / 'app.conf'}: No space left on device")
    assert (small / "app.conf").read_text() == "old"
    assert names(small) == {"app.conf", "app.j2", "ran"}


async def test_a_folder_that_may_not_be_written_is_named() -> None:
    with as_nobody(0o555) as root:
        result = await told(in_etc(root))
    assert result.outcome == "failed"
    assert result.said.startswith(f"{root}/etc/.app.conf.syncd-")
    assert result.said.endswith(": Permission denied")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_who_may_not_give_files_away_says_so_and_leaves_the_folder_as_it_was() -> None:
    with as_nobody(0o777) as root:
        result = await told(in_etc(root, owner="root"))
        assert result == Result("failed", f"{root}/etc/app.conf: syncd may not make a file of user 0, group as it is")
        assert names(root / "etc") == set()


async def test_a_file_that_may_not_be_read_is_replaced() -> None:
    with as_nobody(0o777) as root:
        (root / "etc/app.conf").touch()
        (root / "etc/app.conf").chmod(0)
        assert await told(in_etc(root)) == Result("delivered", "written")


def test_a_reader_never_sees_half_a_file_although_the_writer_is_killed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "app.j2").write_text(f'{{% for _ in range({LINES}) %}}{{{{ key("letter") * 50 }}}}\n{{% endfor %}}')
    file, whole = tmp_path / "etc/app.conf", {(letter * 50 + b"\n") * LINES for letter in (b"a", b"b")}
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT) as writer:
            wait_until((tmp_path / "ran").exists, "the writer has not begun")
            seen = {file.read_bytes()}
            while len(seen) == 1:
                seen.add(file.read_bytes())
            writer.send_signal(signal.SIGKILL)
        seen.add(file.read_bytes())
        assert seen == whole
        assert len(names(tmp_path / "etc")) <= 2, "more than one temporary file is left"
        (tmp_path / "ran").unlink()


def test_a_change_is_told_although_the_process_was_killed_between_change_and_command(tmp_path: Path) -> None:
    """The first command kills who started it."""
    (tmp_path / "app.j2").write_text("new")
    killing = f"import os, signal; os.kill(int(open('{tmp_path}/writer').read()), signal.SIGKILL)"
    first = once(tmp_path, killing)
    assert first.returncode == -signal.SIGKILL
    assert (tmp_path / "app.conf").read_text() == "new"
    assert once(tmp_path, "pass").stdout == "delivered written\n"
    assert once(tmp_path, "raise SystemExit(1)").stdout == "delivered unchanged\n"


def once(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Make one try in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", ONCE, str(root), command], cwd=ROOT, check=False, capture_output=True, text=True
    )
