"""Running commands as a person does, and a repository to run them on."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from syncd.cli import main
from tests.support.repository import Repository
from tests.support.restored_logging import restored_logging


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


Syncd = Callable[..., Ended]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder, no settings from outside."""
    for name in list(os.environ):
        if name.startswith(("SYNCD_", "CONSUL_", "GIT_")) or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with restored_logging():
        yield


@pytest.fixture
def syncd(capsys: pytest.CaptureFixture[str]) -> Syncd:
    """Run a command line in this process."""

    def syncd(*words: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(words)
        captured = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    return syncd


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository in the working directory."""
    return Repository(tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line, or Python code, in a process of its own."""

    def process(*words: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["-c", code] if code else ["-m", "syncd"]
        return subprocess.run(
            [sys.executable, *command, *words],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return process
