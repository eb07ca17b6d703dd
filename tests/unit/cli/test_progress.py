"""The progress bar."""

import io

from syncd.cli.progress import progress_bar
from tests.support.terminal import Terminal


def test_a_person_sees_how_far_it_is() -> None:
    terminal = Terminal()
    with progress_bar("writing", terminal) as report:
        report(5, 100)
        report(100, 100)
    assert "writing" in terminal.getvalue()
    assert "100/100" in terminal.getvalue()


def test_without_a_call_nothing_is_drawn() -> None:
    terminal = Terminal()
    with progress_bar("writing", terminal):
        pass
    assert terminal.getvalue() == ""


def test_a_pipe_gets_no_bar() -> None:
    pipe = io.StringIO()
    with progress_bar("writing", pipe) as report:
        report(5, 100)
    assert pipe.getvalue() == ""
