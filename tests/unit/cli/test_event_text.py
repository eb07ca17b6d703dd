"""An event for people."""

import io
import time

import msgspec
import pytest

from syncd.cli import event_text
from syncd.cli.event_text import ToldEvent, event_lines
from syncd.core import cloudevent
from syncd.core.event import Event, EventKind, KeyChange, ToldRevision, named, shown
from tests.support.terminal import Terminal

AT = 1_764_000_000.0
REVISION = ToldRevision("a" * 40, "main", "Ana", "Try\n\nmore", 1)


def lines(
    *changes: KeyChange,
    kind: EventKind = "revision",
    revision: ToldRevision | None = REVISION,
    count: int | None = None,
    stream: io.StringIO | None = None,
) -> list[str]:
    """Write an event as a subscriber of values gets it."""
    event = Event("e-1", kind, "e", 1, AT, changes, len(changes) if count is None else count, revision)
    told = msgspec.json.decode(cloudevent.encode(event, "app"), type=ToldEvent)
    head, *more = event_lines(told, stream or io.StringIO())
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(AT))
    assert head.startswith(local)
    return [head.removeprefix(local).strip(), *more]


def change(old: bytes | None, new: bytes | None, at: str = "", *, secret: bool = False) -> KeyChange:
    operation = "update" if old is not None and new is not None else "delete" if new is None else "create"
    hashes = shown(old) if old is not None else "", shown(new) if new is not None else ""
    told = (None, None) if secret else (old, new)
    return KeyChange("a/b", operation, *told, *hashes, at, secret)  # type: ignore[arg-type]  # one of the three


def test_a_revision_is_told_by_its_commit_and_each_key_by_its_line() -> None:
    assert lines(change(b"1", b"2", "a.yaml:1:1"), change(b"1", None), change(None, b"\xff")) == [
        "aaaaaaa 'Try' by Ana: 3 keys",
        "~ update   a/b  1 → 2  (a.yaml:1:1)",
        "- delete   a/b  1",
        "+ create   a/b  (1 bytes, sha256:a8100ae6aa19)",
    ]


def test_keys_are_listed_by_name_in_whatever_order_they_came() -> None:
    later, sooner = (KeyChange(key, "create", None, b"1", "", shown(b"1")) for key in ("b", "a"))
    assert [line.split()[2] for line in lines(later, sooner)[1:]] == ["a", "b"]


def test_a_secret_is_told_by_the_beginning_of_its_hashes() -> None:
    (_, line) = lines(change(b"1", b"2", secret=True))
    assert line == f"~ update   a/b  {shown(b'1')[:19]} → {shown(b'2')[:19]}"


def test_strangers_changes_and_full_states_are_told_apart() -> None:
    assert lines(change(None, b"1"), kind="foreign", revision=None)[0] == "changed behind git's back: 1 key"
    assert lines(change(None, b"1"), kind="reset")[0] == "everything anew as of aaaaaaa 'Try' by Ana: 1 key"
    assert lines(kind="reset", revision=None)[0] == "everything anew: 0 keys"


def test_what_was_too_much_to_tell_is_named_or_counted() -> None:
    assert lines(named(change(b"1", b"2")))[1:] == ["~ update   a/b"]
    assert lines(count=20_000) == [
        "aaaaaaa 'Try' by Ana: 20,000 keys",
        "too many to list; they stand at /v1/kv/app/?recurse",
    ]


def test_a_terminal_is_not_flooded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_text, "MOST_KEYS", 1)
    monkeypatch.setenv("NO_COLOR", "1")
    two = (change(None, b"1"), change(None, b"2"))
    assert lines(*two, stream=Terminal())[1:] == [
        "+ create   a/b  1",
        "… and 1 more; --output json, or a pipe, shows all",
    ]


def test_a_time_that_is_none_is_shown_as_it_came() -> None:
    told = msgspec.json.decode(
        b'{"type":"x","time":"soon","data":{"count":0,"changes":[],"detail":"full","read":""}}', type=ToldEvent
    )
    assert list(event_lines(told, io.StringIO())) == ["soon  changed behind git's back: 0 keys"]
