"""Faults 17, 18, 21, 22 and 1: a snapshot that is acknowledged is on the disk and sound; what was there stays."""

import json
import shlex
import shutil
import signal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest

from syncd.core.errors import Damaged
from syncd.core.snapshots.archive import Archive, Meta
from syncd.core.snapshots.records import Records
from tests.support.consul import ConsulAgent, start_agent
from tests.support.process import running, syncd
from tests.support.proxy import Gate, anything, cut, held_reply, proxy_to

STRACE: Final = shutil.which("strace") or ""
needs_strace = pytest.mark.skipif(not STRACE, reason="no strace")


class Keeper:
    """Takes snapshots of one Consul, in processes of their own."""

    def __init__(self, home: Path, address: str) -> None:
        self.home = home
        self.folder = home / "snapshots"
        self.address = address

    def settings(self, address: str) -> dict[str, str]:
        return {
            "CONSUL_HTTP_ADDR": address or self.address,
            "SYNCD_STATE_DIRECTORY": str(self.home / "state"),
            "SYNCD_SNAPSHOTS_DIRECTORY": str(self.folder),
        }

    def cli(self, *words: str, check: int = 0, address: str = "") -> CompletedProcess[str]:
        return syncd("snapshot", *words, cwd=self.home, home=self.home, check=check, **self.settings(address))

    def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.cli("list", "--output", "json").stdout)
        return found

    def names(self) -> set[str]:
        return {entry.name for entry in self.folder.iterdir()} - {".syncd-lock"}

    def take_under(self, *strace: str) -> tuple[int, str]:
        """Take one while strace makes a system call fail, or kills; return the exit code and what was printed."""
        words = [STRACE, "-D", "-f", "-qqq", "-o", "/dev/null", *strace]
        with running(
            "snapshot", "take", cwd=self.home, home=self.home, under=shlex.join(words), **self.settings("")
        ) as process:
            return process.process.wait(timeout=60), process.output


@pytest.fixture
def keeper(tmp_path: Path, consul: ConsulAgent, prefix: str) -> Keeper:
    consul.put(f"{prefix}/a", "1")
    return Keeper(tmp_path, consul.address)


# promise 21
@needs_strace
@pytest.mark.parametrize("which", ["the file", "the directory"])
def test_a_disk_that_fails_to_sync_acknowledges_nothing(keeper: Keeper, which: str) -> None:
    keeper.cli("take")
    before = keeper.names()
    place = ["-P", str(keeper.folder)] if which == "the directory" else []
    code, output = keeper.take_under(*place, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1")
    assert code == 1, output
    assert "cannot be written: Input/output error" in output
    assert keeper.names() == before
    keeper.cli("verify")
    keeper.cli("take")
    assert len(keeper.list()) == 2


# promise 21
@needs_strace
def test_killed_at_any_step_only_whole_snapshots_stand_there(keeper: Keeper) -> None:
    """The steps are the file's fsync, the manifest's rename, the snapshot's rename, the directory's fsync."""
    keeper.cli("take")
    for step in ("fsync:signal=KILL:when=1", "rename:signal=KILL:when=1"):
        code, output = keeper.take_under("-e", f"inject={step}")
        assert code == -signal.SIGKILL
        assert len(keeper.list()) == 1
    for step in ("rename:signal=KILL:when=2", "fsync:signal=KILL:when=2"):
        code, output = keeper.take_under("-e", f"inject={step}")
        assert code == -signal.SIGKILL
        found = keeper.list()
        assert all(not each["foreign"] for each in found), output
        keeper.cli("verify")
    keeper.cli("take")
    found = keeper.list()
    files = {Path(each["file"]).name for each in found}
    assert keeper.names() == files | {f"{name}.json" for name in files}, "what the dead left behind is cleared"


def test_two_at_once_make_one_file(keeper: Keeper) -> None:
    gate = Gate()
    with proxy_to(keeper.address) as proxy:
        proxy.when(anything, held_reply(gate))
        with running("snapshot", "take", cwd=keeper.home, home=keeper.home, **keeper.settings(proxy.address)) as first:
            gate.wait_arrived()
            told = keeper.cli("take", check=75).stderr
            assert f"process {first.process.pid} on " in told
            gate.release()
            assert first.process.wait(timeout=60) == 0, first.output
    assert len(keeper.list()) == 1


def test_a_stream_that_breaks_off_leaves_nothing(keeper: Keeper) -> None:
    keeper.cli("take")
    before = keeper.names()
    with proxy_to(keeper.address) as proxy:
        proxy.when(anything, cut(1500))
        assert "broke off" in keeper.cli("take", check=75, address=proxy.address).stderr
        proxy.when(anything, cut(1500, reset=False))
        assert "broke off" in keeper.cli("take", check=75, address=proxy.address).stderr
    assert keeper.names() == before


@pytest.mark.consul
def test_without_a_store_nothing_is_taken(tmp_path: Path) -> None:
    with start_agent() as agent:
        keeper = Keeper(tmp_path, agent.address)
        keeper.cli("take")
        before = keeper.names()
        agent.kill()
        assert "nothing answers" in keeper.cli("take", check=75).stderr
    assert keeper.names() == before
    keeper.cli("verify")


# promise 21
def test_damage_to_a_kept_one_is_found_and_does_not_count(keeper: Keeper) -> None:
    keeper.cli("take")
    (first,) = keeper.list()
    file = Path(first["file"])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)
    assert f"damaged  {file.name}" in keeper.cli("verify", check=1).stdout
    assert "counts for nothing" in keeper.cli("take").stderr
    assert file.read_bytes() == bytes(content), "a person may want to look at it"


def read(data: bytes) -> tuple[bytes, Meta]:
    archive, records = Archive(), Records()
    state = b"".join(archive.feed(data))
    meta = archive.finish()
    for _ in records.feed(state):
        pass
    records.finish()
    return state, meta


@pytest.fixture(scope="module")
def real() -> bytes:
    """A small one of a real Consul."""
    with start_agent() as agent:
        for number in range(20):
            agent.put(f"app/key{number}", f"value {number}")
        return agent.request("GET", "/v1/snapshot")[2]


@pytest.mark.consul
def test_truncated_anywhere_it_is_refused(real: bytes) -> None:
    for length in range(len(real)):
        with pytest.raises(Damaged):
            read(real[:length])


@pytest.mark.consul
def test_a_flipped_bit_in_any_byte_is_refused_unless_it_changes_nothing(real: bytes) -> None:
    """Every single bit is flipped in ``tests/unit/core/snapshots/test_archive.py``."""
    whole, accepted = read(real), 0
    for place in range(len(real)):
        flipped = bytearray(real)
        flipped[place] ^= 1 << place % 8
        try:
            found = read(bytes(flipped))
        except Damaged:
            continue
        assert found == whole
        accepted += 1
    assert accepted < 64, "bits that say nothing: in gzip's own header, and those that fill up a byte"
