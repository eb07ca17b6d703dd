"""The front door: help, mistakes on the command line, exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd import __version__
from syncd.cli import entry
from syncd.cli.lazy import LazyCommand
from tests.support.repository import SEED, Repository
from tests.unit.cli.conftest import Syncd

Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(syncd: Syncd, flag: str) -> None:
    ended = syncd(flag)
    assert ended.code == 0
    assert all(f"  {command.name} " in ended.out for command in entry.COMMANDS)


def test_help_imports_nothing_slow(process: Process) -> None:
    code = """
import sys
from syncd.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
slow = {"rich", "structlog", "consul", "aiohttp", "yaml", "msgspec", "asyncio", "uvloop", "watchfiles", "logging"}
sys.exit(str(sorted(slow & sys.modules.keys())) if slow & sys.modules.keys() else 0)
"""
    ended = process(code=code)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command", entry.COMMANDS, ids=lambda command: command.name)
def test_a_command_says_the_same_of_itself_as_help_does(command: LazyCommand) -> None:
    loaded = command.load()
    assert loaded.name == command.name
    assert (loaded.help or "").startswith(str(command.help).removesuffix("."))


@pytest.mark.parametrize("command", entry.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help(syncd: Syncd, command: LazyCommand) -> None:
    ended = syncd(str(command.name), "-h")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: syncd {command.name} ")


def test_version(syncd: Syncd) -> None:
    assert syncd("--version").out == f"syncd, version {__version__}\n"


def test_no_command_shows_help_and_is_a_usage_error(syncd: Syncd) -> None:
    ended = syncd()
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("Usage: syncd ")


def test_an_unknown_command_suggests_the_nearest(syncd: Syncd) -> None:
    ended = syncd("valdate")
    assert (ended.code, ended.err) == (64, "error: no such command 'valdate'\n  hint: did you mean validate?\n")


def test_a_command_like_none_points_to_help(syncd: Syncd) -> None:
    assert syncd("zzz").err == "error: no such command 'zzz'\n  hint: syncd --help\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("config", "show", "--outptu", "json"), "no such option '--outptu'"),
        (("config", "show", "--output", "xml"), "invalid value for '--output': 'xml' is not one of 'table', 'json'"),
        (("config", "show", "extra"), "got unexpected extra argument (extra)"),
        (("completion",), "missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"),
        (("--nonsense",), "no such option '--nonsense'"),
    ],
)
def test_usage_errors_exit_with_64(syncd: Syncd, words: tuple[str, ...], message: str) -> None:
    ended = syncd(*words)
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.splitlines()[0].startswith(f"error: {message}")


@pytest.mark.parametrize("words", [("--output", "json"), ("--output=json",)])
def test_errors_are_json_where_output_is(syncd: Syncd, words: tuple[str, ...]) -> None:
    ended = syncd("config", "show", *words, "--prefix", "/x")
    assert ended.code == 64
    assert json.loads(ended.err)["error"] == {
        "type": "SettingsError",
        "message": "--prefix: '/x' must not begin or end with a slash; write 'x'",
        "where": "",
        "hint": "--help says what each flag takes",
        "kind": "stalled",
        "exit_code": 64,
        "problems": ["--prefix: '/x' must not begin or end with a slash; write 'x'"],
    }


def test_a_usage_error_is_json_too(syncd: Syncd) -> None:
    error = json.loads(syncd("config", "show", "--output", "json", "--nonsense").err)["error"]
    assert (error["type"], error["exit_code"]) == ("NoSuchOption", 64)


def test_an_interrupt_exits_as_shells_expect(process: Process) -> None:
    code = """
import click
from syncd.cli import entry
@entry.syncd.command
def wait() -> None:
    raise KeyboardInterrupt
entry.main(["wait"])
"""
    ended = process(code=code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "\n")


def test_a_reader_that_leaves_is_no_error(process: Process) -> None:
    code = """
import os, sys
from syncd.cli import main
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
main(["config", "show"])
"""
    assert process(code=code).stderr == ""


def test_a_command_returns_its_exit_code(process: Process) -> None:
    code = "from syncd.cli import entry\n@entry.syncd.command\ndef two(): return 2\nentry.main(['two'])"
    assert process(code=code).returncode == 2


def test_python_m_is_the_same(process: Process) -> None:
    ended = process("--version")
    assert (ended.returncode, ended.stdout) == (0, f"syncd, version {__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(syncd: Syncd, shell: str) -> None:
    ended = syncd("completion", shell)
    assert ended.code == 0
    assert "_SYNCD_COMPLETE" in ended.out


@pytest.mark.parametrize(
    ("words", "position", "found"),
    [
        ("syncd val", "1", "validate"),
        ("syncd config show --log-format js", "4", "json"),
        ("syncd subscribers del", "2", "deliveries"),
        ("syncd subscribers replay x --fu", "4", "--full"),
    ],
)
def test_completion_completes(process: Process, words: str, position: str, found: str) -> None:
    ended = process(_SYNCD_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)
    assert ended.stdout == f"plain,{found}\n"


@pytest.mark.parametrize(
    ("words", "position", "found"),
    [
        ("syncd snapshot show con", "3", ["plain,consul-2.snap", "plain,consul-1.snap"]),
        ("syncd snapshot diff consul-1.snap consul-2", "4", ["plain,consul-2.snap"]),
        ("syncd snapshot verify /mnt/", "3", ["file,/mnt/"]),
        ("syncd snapshot verify --config absent.toml con", "5", ["file,con"]),
    ],
)
def test_snapshots_complete_and_other_files_by_the_shell(
    process: Process, repository: Repository, words: str, position: str, found: list[str]
) -> None:
    repository.commit(SEED)
    Path("syncd.toml").write_text('[snapshots]\ndirectory = "kept"\n')
    Path("kept").mkdir()
    for number in (1, 2):
        file = Path(f"kept/consul-{number}.snap")
        file.touch()
        os.utime(file, (number, number))
    ended = process(_SYNCD_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)
    assert ended.stdout.split() == found
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("words", "position", "found"),
    [
        ("syncd explain bra", "2", ["brain/model", "brain/temperature"]),
        ("syncd explain --prefix p p/tts", "4", ["p/tts/voice"]),
        ("syncd explain config/mordomo/tts", "2", ["config/mordomo/tts/voice"]),
        ("syncd explain nothing", "2", []),
        ("syncd explain --path nowhere bra", "4", []),
        ("syncd subscribers replay b", "3", ["brain"]),
        ("syncd subscribers test --config absent.toml b", "5", []),
    ],
)
def test_keys_and_subscribers_complete(
    process: Process, repository: Repository, words: str, position: str, found: list[str]
) -> None:
    repository.commit(SEED)
    Path("syncd.toml").write_text('[[subscriber]]\nname = "brain"\ncommand = ["true"]\n')
    ended = process(_SYNCD_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position)
    assert ended.stdout.split() == [f"plain,{name}" for name in found]
    assert ended.stderr == ""


def test_what_is_left_of_output_that_nobody_reads_any_more_is_no_error() -> None:
    read, written = os.pipe()
    os.close(read)
    program = "import sys; from syncd.cli.entry import _end_output; sys.stdout.write('x'); _end_output()"
    ended = subprocess.run([sys.executable, "-E", "-c", program], stdout=written, stderr=subprocess.PIPE, check=False)
    os.close(written)
    assert (ended.returncode, ended.stderr) == (0, b"")
