"""Programs that a page shows, taken from it and run."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/subscribing.md").read_text()
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"\A(?:#!.*\n)?(?:#|//) (\w+\.\w+)")


def blocks(language: str, page: str = PAGE) -> list[str]:
    """Return a page's blocks in some language."""
    return [text for found, text in _BLOCK.findall(page) if found == language]


def programs() -> dict[str, str]:
    """Return the page's programs by the name that their first comment says."""
    found = ((_NAME.match(text), text) for _, text in _BLOCK.findall(PAGE))
    return {name[1]: text for name, text in found if name}


def command_of(name: str, folder: Path) -> list[str]:
    """Write a program of the page into a folder; return how it is started."""
    file = folder / name
    file.write_text(programs()[name])
    return [{".py": "python3", ".mjs": "node", ".sh": "sh"}[file.suffix], str(file)]


class Example:
    """A program that runs until it is stopped, with whatever it started; its output goes to a file."""

    def __init__(self, command: list[str], log: Path, environ: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **environ},
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def lines(self) -> list[str]:
        """What it has printed so far, without complaints that it waits."""
        text = self._log.read_text()
        return [line for line in text.splitlines() if not line.startswith(("waiting:", "curl:"))]

    def wait_for(self, *lines: str) -> None:
        """Wait until it has printed exactly these lines."""
        wanted = list(lines)
        wait_until(
            lambda: self.lines == wanted or self.process.poll() is not None,
            f"{wanted}\n",
            self._log.read_text,
        )
        assert self.lines == wanted

    def kill(self) -> None:
        """SIGKILL, to all of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def started(command: list[str], log: Path, **environ: str) -> Iterator[Example]:
    """Run a program of the page until the end of the block."""
    example = Example(command, log, environ)
    try:
        yield example
    finally:
        example.kill()
