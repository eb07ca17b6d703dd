"""A program is told of an event on its standard input, in a clean environment, and its end is the answer."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd.core.subscriber import Command
from syncd.fanout.command import CommandSender
from syncd.fanout.sender import Message, Result
from tests.support.groups import gone, number_in
from tests.support.told import COMMIT, message, told


def shell(script: str, *arguments: object, limit: float = 30.0, **environment: str) -> CommandSender:
    """A sender whose program is a shell script; its arguments are ``$1`` and so on."""
    argv = ("sh", "-c", script, "sh", *map(str, arguments))
    return CommandSender("reload", Command(argv, limit), environment={"PATH": os.environ["PATH"], **environment})


async def test_the_event_stands_on_standard_input_and_exit_0_is_delivered(tmp_path: Path) -> None:
    sent = message(size=300_000)
    result = await told(shell('cat > "$1"', tmp_path / "event"), sent)
    assert result == Result("delivered", "exit 0")
    assert (tmp_path / "event").read_bytes() == sent.body


async def test_a_program_that_never_reads_its_input_is_no_fault() -> None:
    assert await told(shell("true"), message(size=900_000)) == Result("delivered", "exit 0")


async def test_the_environment_says_what_happened_and_holds_nothing_of_the_daemon(tmp_path: Path) -> None:
    sender = shell(
        'env > "$1"; pwd >> "$1"',
        tmp_path / "seen",
        HOME="/home/deploy",
        TZ="Europe/Lisbon",
        LANG="C.UTF-8",
        LC_TIME="C",
        CONSUL_HTTP_TOKEN="root",
        CREDENTIALS_DIRECTORY="/run/credentials/syncd.service",
        NOTIFY_SOCKET="/run/systemd/notify",
        SYNCD_STORE_TOKEN_FILE="/etc/syncd/token",
        PYTHONPATH="/elsewhere",
    )
    assert (await told(sender, message("e7"))).outcome == "delivered"
    *variables, folder = (tmp_path / "seen").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in variables)
    assert {name: value for name, value in seen.items() if name not in {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}} == {
        "HOME": "/home/deploy",
        "TZ": "Europe/Lisbon",
        "LANG": "C.UTF-8",
        "LC_TIME": "C",
        "SYNCD_EVENT_ID": "e7",
        "SYNCD_EVENT_TYPE": "syncd.revision.applied.v1",
        "SYNCD_EVENT_PREFIX": "shop",
        "SYNCD_EVENT_COMMIT": COMMIT,
        "SYNCD_EVENT_SUBSCRIBER": "reload",
    }
    assert folder == "/"


async def test_a_change_without_a_commit_says_so(tmp_path: Path) -> None:
    script = 'printf "%s %s." "$SYNCD_EVENT_TYPE" "$SYNCD_EVENT_COMMIT" > "$1"'
    await told(shell(script, tmp_path / "seen"), message(commit=""))
    assert (tmp_path / "seen").read_text() == "syncd.keys.changed.v1 ."


async def test_arguments_are_given_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    words = ("$HOME; touch /tmp/never", "a b", "*", "'\"")
    script = 'out=$1; shift; printf "%s\\n" "$@" > "$out"'
    await told(shell(script, tmp_path / "seen", *words))
    assert (tmp_path / "seen").read_text().splitlines() == list(words)


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "exit 3"), ("kill -SEGV $$", "killed by SIGSEGV"), ("kill -40 $$", "killed by signal 40")],
)
async def test_another_end_is_a_failed_try_that_says_how(script: str, said: str) -> None:
    assert await told(shell(script)) == Result("failed", said)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/no/such/program", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("/", "Permission denied"),
    ],
)
async def test_what_cannot_be_started_is_a_failed_try(program: str, said: str) -> None:
    sender = CommandSender("reload", Command((program,)))
    assert await told(sender) == Result("failed", f"cannot be started: {program}: {said}")


async def test_what_it_prints_is_logged_when_it_fails_escaped_on_one_line() -> None:
    with capture_logs() as lines:
        await told(shell("printf 'one\\n\\033[31mtwo'; printf '\\377three' >&2; exit 1"))
    (line,) = (line for line in lines if "output" in line)
    assert line == {
        "event": "the command printed",
        "log_level": "warning",
        "logger": "syncd.fanout.command",
        "subscriber": "reload",
        "output": "one\n\x1b[31mtwo\\xffthree",
    }
    assert len(json.dumps(line).splitlines()) == 1


async def test_what_it_prints_when_all_is_well_is_for_debugging_and_silence_is_not_logged() -> None:
    with capture_logs() as lines:
        await told(shell("echo fine"))
        await told(shell("true"))
    assert [(line["log_level"], line["output"]) for line in lines if "output" in line] == [("debug", "fine\n")]


async def test_a_program_that_does_not_end_is_told_to_and_its_try_failed(tmp_path: Path) -> None:
    script = 'trap "echo terminated > $1; exit 0" TERM; while :; do sleep 0.02; done'
    assert await told(shell(script, tmp_path / "seen", limit=0.3)) == Result("failed", "no end in 300ms")
    assert (tmp_path / "seen").read_text() == "terminated\n"


async def test_closing_ends_the_program_and_tells_nobody(tmp_path: Path) -> None:
    sender = shell('echo $$ > "$1"; sleep 1000', tmp_path / "pid")
    results: list[Result] = []
    sender.send(message(), results.append)
    group = await number_in(tmp_path / "pid")
    await sender.close()
    await gone(group)
    assert results == []


async def test_closing_what_has_not_begun_or_has_ended_is_nothing() -> None:
    sender = shell("true")
    await sender.close()
    sender.send(message(), lambda result: pytest.fail(f"{result}"))
    await sender.close()
    again = shell("true")
    await told(again)
    await again.close()


async def test_the_next_message_may_be_sent_from_the_answer_to_the_last(tmp_path: Path) -> None:
    sender = shell('echo "$SYNCD_EVENT_ID" >> "$1"', tmp_path / "seen")
    ended = asyncio.get_running_loop().create_future()
    sender.send(message("first"), lambda _: sender.send(message("second"), ended.set_result))
    await ended
    assert (tmp_path / "seen").read_text() == "first\nsecond\n"


async def test_a_message_that_is_no_event_fails_its_try_and_is_logged() -> None:
    with capture_logs() as lines:
        result = await told(shell("true"), Message("e1", b"{"))
    assert result == Result("failed", "a fault in syncd; see the log")
    assert [line["log_level"] for line in lines] == ["error"]


async def test_signals_that_the_daemon_ignores_work_in_the_program() -> None:
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    assert await told(shell("kill -PIPE $$")) == Result("failed", "killed by SIGPIPE")
