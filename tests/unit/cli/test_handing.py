"""What is said where the daemon that leads did not apply what it was handed."""

from typing import Any

import pytest

from syncd.cli.handing import NotApplied, not_applied
from syncd.cli.orders import NotTaken
from syncd.core.errors import LeaseHeld, SyncdError
from syncd.core.saved import SavedRefusal
from syncd.daemon.answers import SyncAnswer, Trouble


def answer(**fields: Any) -> SyncAnswer:
    given: dict[str, Any] = {
        "result": "unchanged",
        "reached": False,
        "tip": "a" * 40,
        "applied": "b" * 40,
        "counts": {},
        "withheld": 0,
        "refusals": (),
        "hash": "",
        "holder": "",
        "problems": (),
        "trouble": None,
    }
    return SyncAnswer(**{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        (
            {"result": "refused", "refusals": (SavedRefusal("empty", "no key", "look"),)},
            NotApplied,
            "did not apply it: no key",
        ),
        ({"result": "standby", "holder": "other"}, LeaseHeld, "held by other"),
        ({"result": "failed", "trouble": Trouble("no answer", "x", "wait")}, NotTaken, "could not apply it: no answer"),
        ({"result": "paused"}, NotTaken, "its last pass ended as 'paused'"),
    ],
)
def test_each_way_not_to_be_applied_has_its_words(fields: dict[str, Any], kind: type[SyncdError], said: str) -> None:
    error = not_applied(answer(**fields), "host (pid 1)")
    assert type(error) is kind
    assert said in error.message
    assert error.hint
