"""The real ``syncd`` as a process."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

COMMAND: Final = (sys.executable, "-m", "syncd")


def environment(home: Path, **extra: str) -> dict[str, str]:
    """Return a clean environment: nothing of the developer's own settings.

    Coverage is left out too: it makes a process slow, and most that run in the background are killed in the end, which
    leaves nothing to count.
    """
    strange = ("CONSUL_", "SYNCD_", "GIT_", "XDG_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    own = {"HOME": str(home), "NO_COLOR": "1", "SYNCD_LOG_FORMAT": "console", "SYNCD_HTTP_LISTEN": "127.0.0.1:0"}
    no_authorities = {"SSL_CERT_FILE": os.devnull}  # aiohttp reads all of the system's at each start, a tenth of it
    return {**kept, **own, **no_authorities, **extra}


def syncd(
    *arguments: str, cwd: Path, home: Path, check: int | None = 0, stdin: str = "", **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with coverage; ``check`` is the exit code that is expected, None for any."""
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(home, **coverage, **extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


class Process:
    """A ``syncd`` that runs until it is stopped; its output goes to a file."""

    def __init__(self, command: tuple[str, ...], cwd: Path, environ: Mapping[str, str]) -> None:
        with tempfile.NamedTemporaryFile(prefix="syncd-test-", suffix=".log", delete=False) as log:
            self._log = Path(log.name)
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environ),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # as a service: whoever runs the tests may have a terminal
            )

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text()

    def wait_for(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait for a condition; fail with the process's output where it ends before, or never."""
        wait_until(lambda: condition() or self.process.poll() is not None, f"{what}\n", lambda: self.output)
        assert condition(), f"ended with {self.process.poll()}:\n{self.output}"

    def wait_for_output(self, text: str) -> None:
        """Wait until it has printed a text."""
        self.wait_for(lambda: text in self.output, f"no {text!r} in the output")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and wait for the end; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def close(self) -> None:
        """Kill it if it still runs, and forget its output."""
        if self.process.poll() is None:
            self.kill()
        self._log.unlink()


@contextmanager
def running(*arguments: str, cwd: Path, home: Path, under: str = "", **extra: str) -> Iterator[Process]:
    """Run a ``syncd`` in the background; it is killed at the end of the block if it still runs.

    ``under`` is a command line that becomes this one, as ``strace -D`` does.
    """
    process = Process((*shlex.split(under), *COMMAND, *arguments), cwd, environment(home, **extra))
    try:
        yield process
    finally:
        process.close()
