"""What the daemon of this machine says of itself, in ``syncd status``."""

from typing import Any

import pytest
from msgspec.structs import replace

from syncd.cli.daemon_text import daemon_facts
from syncd.cli.standing import Standing, Tip
from syncd.core.desired import Commit
from syncd.core.problems import Problem
from syncd.daemon.answers import (
    LiveDrift,
    LiveDrills,
    LiveOrders,
    LivePass,
    LiveSnapshots,
    LiveSource,
    LiveStatus,
    LiveSubscribers,
    Trouble,
)
from syncd.daemon.line import Standings

NOW = 1_000_000.0
TIP = Tip("/r", "config", "main", Commit("b" * 40, "main", "Ana", "Try", 1), 4, (), ())
SOURCE = LiveSource("/r", "config", "main", None, (), None, ())
PASS = LivePass("unchanged", NOW, "b" * 40, {}, 0, 0, (), "", None)


def deaf(number: int = 1, *, since: float = 0.0, tries: int = 1) -> Standings:
    said = "connection refused"
    return Standings(f"deaf{number}", "webhook", "", "http://x", "waiting", False, 1, since, tries, 0.0, said, 0, 1, 0)


def saving(**fields: Any) -> LiveSnapshots:
    given: dict[str, Any] = {
        "schedule": "@daily",
        "next": NOW + 7200,
        "last": NOW - 22 * 3600,
        "file": "/b/consul-1.snap",
        "size": 1,
        "tried": 0.0,
        "failures": 0,
        "late": False,
        "trouble": None,
    }
    return LiveSnapshots(**{**given, **fields})


def drilling(**fields: Any) -> LiveDrills:
    given: dict[str, Any] = {
        "schedule": "@weekly",
        "next": NOW + 7200,
        "last": NOW - 22 * 3600,
        "file": "consul-1.snap",
        "taken": 0.0,
        "store": "Consul",
        "tried": 0.0,
        "failures": 0,
        "late": False,
        "trouble": None,
    }
    return LiveDrills(**{**given, **fields})


GONE = Standings("gone", "webhook", "", "http://x", "disabled", False, 3, NOW - 60, 0, 0.0, "410 Gone", 1, 0, 0)


def lines(*, tip: Tip = TIP, **fields: Any) -> list[str]:
    given: dict[str, Any] = {
        "version": "1",
        "uptime": 7200.0,
        "source": SOURCE,
        "store": "Consul",
        "prefix": "config",
        "role": "leading",
        "holder": "",
        "ready": True,
        "applied": None,
        "published": None,
        "epoch": "e",
        "index": 1,
        "keys": 4,
        "ahead": 0.0,
        "last_success": NOW - 5,
        "last": PASS,
        "drift": LiveDrift(True, "b" * 40, 0, ()),
        "orders": LiveOrders(),
        "subscribers": LiveSubscribers(0, {}, ()),
        "streams": 0,
    }
    standing = Standing(tip, None, daemon=LiveStatus(**{**given, **fields}))
    return [f"{name:<9}{text}" for name, text, _ in daemon_facts(standing, NOW)]


def test_a_daemon_that_does_well_takes_three_lines() -> None:
    assert lines() == [
        "daemon   leads; up for 2 hours; its last good pass was 5 seconds ago",
        "lag      none",
        "told     0 subscribers",
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"role": "standby", "holder": "b (pid 7)", "last_success": 0.0},
            "daemon   stands by; b (pid 7) leads; up for 2 hours",
        ),
        ({"role": "paused", "last_success": 0.0}, "daemon   is paused; up for 2 hours"),
        ({"ahead": 90.0}, "lag      git is ahead of the store for 90 seconds"),
        ({"ready": False}, "lag      nothing is published yet"),
        ({"streams": 1}, "told     0 subscribers, 1 stream"),
        (
            {"subscribers": LiveSubscribers(3, {"waiting": 1, "idle": 2}, ())},
            "told     3 subscribers (2 idle, 1 waiting)",
        ),
        (
            {"subscribers": LiveSubscribers(1, {"waiting": 1}, (deaf(since=NOW - 60),))},
            "         deaf1 is waiting after 1 try, owed for 60 seconds: connection refused",
        ),
        (
            {"subscribers": LiveSubscribers(1, {"disabled": 1}, (GONE,))},
            (
                "         gone is disabled, 3 events behind, owed for 60 seconds: 410 Gone"
                " (to have it told: syncd subscribers replay gone)"
            ),
        ),
        (
            {"subscribers": LiveSubscribers(1, {}, (replace(GONE, behind=0, since=0.0, said=""),))},
            "         gone is disabled: it wants nothing more (to have it told: syncd subscribers replay gone)",
        ),
        (
            {"subscribers": LiveSubscribers(1, {}, (replace(GONE, state="unusable", said="no such file"),))},
            (
                "         gone cannot be told, owed for 60 seconds: no such file"
                " (mend it, then reload or restart the daemon)"
            ),
        ),
        (
            {"subscribers": LiveSubscribers(7, {}, tuple(deaf(number, tries=2) for number in range(7)))},
            "         deaf4 is waiting after 2 tries: connection refused",
        ),
        (
            {"subscribers": LiveSubscribers(7, {}, tuple(deaf(number) for number in range(7)))},
            "         and 2 more: syncd subscribers list",
        ),
        (
            {"last": LivePass("", 0.0, "", {}, 0, 0, (), "", Trouble("no answer", "GET /x", "wait"))},
            "trouble  GET /x: no answer (wait)",
        ),
        ({"source": LiveSource("/r", "", "main", None, (), Trouble("bad"), ())}, "trouble  bad"),
        ({"snapshots": saving(last=0.0)}, "snapshot there is none yet; the next is due in 2 hours"),
        (
            {"snapshots": saving()},
            "snapshot the newest was taken 22 hours ago: /b/consul-1.snap; the next is due in 2 hours",
        ),
        ({"drills": drilling(last=0.0)}, "drill    none has passed yet; the next is due in 2 hours"),
        (
            {"drills": drilling(retry=NOW + 60, trouble=Trouble("no consul"))},
            "drill    the last passed 22 hours ago: consul-1.snap; what failed is tried again in 60 seconds",
        ),
        ({"drills": drilling()}, "drill    the last passed 22 hours ago: consul-1.snap; the next is due in 2 hours"),
        ({"drills": drilling(late=True, trouble=Trouble("none passed"))}, "trouble  none passed"),
        ({"snapshots": saving(late=True, trouble=Trouble("it is late", hint="look"))}, "trouble  it is late (look)"),
    ],
)
def test_each_fact_has_its_line(fields: dict[str, Any], line: str) -> None:
    assert line in lines(**fields)


def test_what_is_wrong_with_the_tip_is_said_once() -> None:
    problem = Problem("error", "syntax", "config/tts.yaml", 4, 1, "bad")
    trouble = Trouble("bad", "config/tts.yaml:4:1")
    invalid = LiveSource("/r", "config", "main", Commit("b" * 40), (), trouble, (problem,))
    first = replace(PASS, trouble=trouble)  # nothing was valid yet, so the pass failed of it too
    shown = "trouble  config/tts.yaml:4:1: bad"
    assert [line for line in lines(source=invalid, last=first) if "trouble" in line] == [shown]
    assert shown not in lines(tip=replace(TIP, problems=(problem,)), source=invalid, last=first)
    other = replace(TIP, commit=Commit("c" * 40), problems=(problem,))
    assert shown in lines(tip=other, source=invalid)


def test_without_a_daemon_that_is_said() -> None:
    standing = Standing(TIP, None, no_daemon="no daemon answers on this machine")
    assert list(daemon_facts(standing, NOW)) == [("daemon", "no daemon answers on this machine", "yellow")]
    assert list(daemon_facts(Standing(TIP, None), NOW)) == []
