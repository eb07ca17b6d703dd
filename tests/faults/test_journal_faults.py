"""Fault 17, 18: a disk that takes nothing keeps nobody from git, and loses nothing that is to be told."""

import resource
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.support.hook import Hook
from tests.support.process import Process
from tests.support.teller import Teller

STRACE: Final = shutil.which("strace") or ""


@contextmanager
def full_disk(daemon: Process, teller: Teller) -> Iterator[None]:
    """Let the daemon's files grow no more than to what the journal's log has now."""
    log, pid = teller.journal.with_name("journal.db-wal"), daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


# promise 15
def test_while_the_disk_is_full_git_goes_on_and_subscribers_hear_of_it_once_there_is_room(
    teller: Teller, there: Hook
) -> None:
    with teller.run() as daemon:
        daemon.wait_for_output("in sync")
        teller.commit()
        there.wait_for_tries(2)
        daemon.wait_for(lambda: teller.told() == 1, "it is not noted")
        with full_disk(daemon, teller):
            for _ in range(2):
                commit = teller.commit()
                daemon.wait_for(lambda commit=commit: teller.scene.live.applied() == commit)  # type: ignore[misc]
            daemon.wait_for_output("the journal cannot be used")
            assert len(there.tries) == 2
        daemon.wait_for(lambda: teller.is_up_to_date(there), "it is never told")
        daemon.wait_for_output("the journal can be written again")
        assert (there.tries[2].kind, there.replica.commit) == ("revision.applied", commit)
        assert daemon.stop() == 0
    teller.restart(there)
    assert len(there.tries) == 3, "each once"


# promise 17
def test_after_the_state_directory_was_deleted_a_restart_tells_the_full_state(teller: Teller, there: Hook) -> None:
    with teller.run() as daemon:
        daemon.wait_for_output("in sync")
        shutil.rmtree(teller.journal.parent)
        for _ in range(2):
            commit = teller.commit()
            daemon.wait_for(lambda commit=commit: teller.scene.live.applied() == commit)  # type: ignore[misc]
        daemon.wait_for_output("the journal cannot be used")
        daemon.wait_for_output("restart syncd")
        assert len(there.tries) == 1
        assert daemon.stop() == 0
    teller.restart(there)
    assert [got.kind for got in there.tries] == ["state.reset", "state.reset"]


# promise 15
@pytest.mark.skipif(not STRACE, reason="no strace")
def test_what_could_not_be_synced_to_the_disk_is_not_taken_for_written(teller: Teller, there: Hook) -> None:
    log = teller.journal.with_name("journal.db-wal")
    words = ["-D", "-f", "-qqq", "-o", "/dev/null", "-P", str(log), "-P", str(teller.journal)]
    under = shlex.join([STRACE, *words, "-e", "inject=fdatasync:error=EIO:when=1..2"])
    with teller.run(under=under) as daemon:
        daemon.wait_for_output("in sync")
        commit = teller.commit()
        daemon.wait_for(lambda: teller.is_up_to_date(there), "it is never told")
        daemon.wait_for(lambda: teller.told() == len(teller.events()), "it is not noted")
        assert "the journal cannot be used: disk I/O error" in daemon.output
        assert daemon.stop() == 0
    assert there.replica.commit == commit
    assert len(there.tries) == 2
