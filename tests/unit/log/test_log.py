"""What a log line looks like, for people and for machines."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd import log
from tests.support.restored_logging import restored_logging
from tests.support.terminal import Terminal


class Stream(io.TextIOWrapper):
    """Standard error as a test sees it."""

    def __init__(self, terminal: bool) -> None:
        super().__init__(io.BytesIO())
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with restored_logging():
        yield


Start = Callable[..., Stream]


@pytest.fixture
def start() -> Start:
    def start(form: str = "auto", level: str = "info", terminal: bool = False, **environment: str) -> Stream:
        stream = Stream(terminal)
        log.configure(form, level, stream=stream, environment=environment)  # type: ignore[arg-type]  # parametrised
        return stream

    return start


def lines(stream: Stream) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.text.splitlines()]


def test_a_pipe_gets_json_with_time_level_and_event_first(start: Start) -> None:
    stream = start()
    log.get_logger("syncd.daemon").info("applied 3 changes", commit="1a2b3c4", keys=3)
    (line,) = lines(stream)
    assert list(line) == ["time", "level", "event", "logger", "commit", "keys"]
    assert line["level"] == "info"
    assert line["event"] == "applied 3 changes"
    assert line["logger"] == "syncd.daemon"
    assert line["keys"] == 3
    assert str(line["time"]).endswith("Z")


def test_a_terminal_gets_coloured_lines(start: Start) -> None:
    stream = start(terminal=True)
    log.get_logger("syncd.daemon").warning("lost the lease", holder="node b")
    assert "\x1b[33mwarning\x1b[0m lost the lease  \x1b[36mholder\x1b[0m='node b'" in stream.text


@pytest.mark.parametrize(
    ("stream", "environment", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream: io.StringIO, environment: dict[str, str], wanted: bool) -> None:
    assert log.coloured(stream, environment) is wanted


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_gets_plain_lines(start: Start, environment: dict[str, str]) -> None:
    stream = start(terminal=True, **environment)
    log.get_logger("syncd.daemon").info("applied 3 changes", keys=3)
    assert stream.text[8:] == " info    applied 3 changes  keys=3\n"


def test_console_lines_in_a_pipe_have_no_colour(start: Start) -> None:
    stream = start("console")
    log.get_logger("syncd").info("hello")
    assert stream.text[8:] == " info    hello\n"


def test_what_is_below_the_level_is_not_logged(start: Start) -> None:
    stream = start(level="warning")
    logger = log.get_logger("syncd")
    logger.debug("no")
    logger.info("no")
    logger.error("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_bound_facts_stand_on_every_line(start: Start) -> None:
    stream = start()
    log.get_logger("syncd").bind(prefix="config").info("hello", keys=1)
    (line,) = lines(stream)
    assert (line["prefix"], line["keys"]) == ("config", 1)


@pytest.mark.parametrize("form", ["console", "json"])
def test_nothing_that_is_logged_can_steer_a_terminal_or_forge_a_line(start: Start, form: str) -> None:
    stream = start(form)
    log.get_logger("syncd").info("com\x1b[2Jmit\nforged", author="a\x1b]0;x\x07\nb", path="\udcff")
    assert stream.text.count("\n") == 1
    assert "\x1b" not in stream.text


def test_values_that_json_does_not_know_become_text(start: Start) -> None:
    stream = start()
    log.get_logger("syncd").info("read", path=Path("/a"), error=ValueError("bad"))
    (line,) = lines(stream)
    assert (line["path"], line["error"]) == ("/a", "bad")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variable(start: Start, form: str) -> None:
    stream = start(form)
    token = "".join(("hun", "ter", "2"))
    try:
        int("broken")
    except ValueError:
        log.get_logger("syncd").exception("it failed")
    assert "ValueError: invalid literal" in stream.text
    assert token not in stream.text


def test_what_libraries_log_takes_the_same_way(start: Start) -> None:
    stream = start()
    logging.getLogger("aiohttp.server").warning("odd %s", "request")
    try:
        int("gone")
    except ValueError:
        logging.getLogger("apscheduler.executors").exception("Job failed")
    odd, failed = lines(stream)
    assert (odd["logger"], odd["level"], odd["event"]) == ("aiohttp.server", "warning", "odd request")
    assert "literal for int() with base 10: 'gone'" in str(failed["exception"])


def test_a_library_is_named_to_people(start: Start) -> None:
    stream = start("console")
    logging.getLogger("watchfiles.main").error("cannot watch")
    assert stream.text[8:] == " error   cannot watch  logger=watchfiles.main\n"


def test_libraries_chatter_only_when_debugging(start: Start) -> None:
    stream = start()
    logging.getLogger("aiohttp.access").info("GET /")
    assert stream.text == ""
    stream = start(level="debug")
    logging.getLogger("aiohttp.access").info("GET /")
    assert [line["event"] for line in lines(stream)] == ["GET /"]


def test_a_level_of_a_librarys_own_is_logged_as_info(start: Start) -> None:
    stream = start(level="debug")
    logging.getLogger("library").log(25, "between")
    assert [line["level"] for line in lines(stream)] == ["info"]


def test_a_line_that_cannot_be_made_does_not_stop_the_library(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    stream = start()
    logging.getLogger("library").warning("%d", "no number")
    assert stream.text == ""
    assert "--- Logging error ---" in capsys.readouterr().err


async def test_a_lost_task_is_logged(start: Start) -> None:
    stream = start()
    loop = asyncio.get_running_loop()
    loop.default_exception_handler({"message": "Task exception was never retrieved", "exception": ValueError("x")})
    (line,) = lines(stream)
    assert (line["logger"], line["level"]) == ("asyncio", "error")


def test_tests_can_capture_what_was_logged() -> None:
    with capture_logs() as captured:
        log.get_logger("syncd.git").info("read a tree", keys=3)
    assert captured == [{"event": "read a tree", "keys": 3, "logger": "syncd.git", "log_level": "info"}]


def test_configuring_alone_loads_no_structlog() -> None:
    code = (
        "import sys; from syncd import log; log.configure('auto', 'warning'); log.get_logger('x').info('no');"
        "sys.exit('structlog' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
