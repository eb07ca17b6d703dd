"""What commands print."""

import json

import pytest

from syncd.cli import output
from tests.support.terminal import Terminal


def test_a_piped_table_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("KEY", "VALUE"), [("a", "x" * 300), ("long/key", "with\nlines\x1b[2J")])
    assert capsys.readouterr().out == f"KEY       VALUE\na         {'x' * 300}\nlong/key  with\\nlines\\x1b[2J\n"


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("KEY", "VALUE"), [])
    assert capsys.readouterr().out == "KEY  VALUE\n"


def test_a_terminals_table_reads_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    output.print_table(("KEY", "VALUE"), [("a", "[red]x[/red]")])
    assert [line.split() for line in terminal.getvalue().splitlines()] == [["KEY", "VALUE"], ["a", "[red]x[/red]"]]


def test_a_terminals_table_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    output.print_table(("KEY", "VALUE"), [("a", "b")])
    assert "\x1b[" in terminal.getvalue()


def test_bytes_that_are_not_text_are_shown_by_size_and_told_as_base64() -> None:
    assert output.shown_value(b"\xff\xfe") == "(2 bytes)"
    assert output.json_value(b"\xff\xfe") == {"base64": "//4="}
    assert output.json_value("pt_BR é".encode()) == "pt_BR é"


def test_names_that_are_not_utf8_do_not_stop_json() -> None:
    assert json.loads(output.to_json({"path": "a\udcff"})) == {"path": "a\udcff"}
