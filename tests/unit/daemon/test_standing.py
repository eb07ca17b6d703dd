"""What ``systemctl status`` says, in one line."""

import pytest

from syncd.core.errors import Conflict, Denied, GitError, NoLeader, SyncdError, Unreachable
from syncd.core.problems import Problem, TreeError
from syncd.daemon.outcome import Outcome
from syncd.daemon.standing import standing
from tests.support.planning import based, have, plan, record, tree

SYNCED = plan(tree(a="1"), {"a": have("1")}, {"a": based("1")}, record=record())
WAITING = plan(tree(a="1"), {"a": have("1"), "o": have("1", 0)}, {"a": based("1"), "o": based("1")}, record=record())
EMPTY = plan({}, {"a": have("1")}, {"a": based("1")}, record=record())
INVALID = TreeError((Problem("error", "yaml", "a.yaml", 1, 1, "no"),) * 2, commit="1a2b3c4d5e")
IN_SYNC = f"in sync at {SYNCED.commit.short}, 1 key"
SAID = "commit 1a2b3c4 is invalid: 2 problems"


@pytest.mark.parametrize(
    ("outcome", "failure", "source", "line"),
    [
        (Outcome("unchanged", SYNCED), None, None, IN_SYNC),
        (Outcome("applied", WAITING), None, None, f"{IN_SYNC}; 1 delete waiting for an approval"),
        (Outcome("unchanged", SYNCED), None, INVALID, f"{IN_SYNC}; {SAID}"),
        (Outcome("refused", EMPTY), None, None, f"refused: {EMPTY.refusals[0].message}"),
        (Outcome("standby", holder="consul-1 (pid 812)"), None, None, "standing by, consul-1 (pid 812) leads"),
        (Outcome("paused"), None, GitError("branch main is gone"), "paused: nothing is written; branch main is gone"),
        (Outcome("applied", SYNCED), Unreachable("nothing"), None, "the store does not answer: nothing"),
        (None, NoLeader("the cluster has no leader"), None, "the store does not answer: the cluster has no leader"),
        (None, Denied("the token is refused"), None, "the token is refused"),
        (None, Conflict("index is stale"), None, "planning again: the store moved while it was written"),
        (None, INVALID, INVALID, SAID),
        (None, None, None, ""),
        (Outcome("applied"), None, None, ""),
    ],
)  # fmt: skip
def test_one_line_says_how_the_last_pass_ended(
    outcome: Outcome | None, failure: SyncdError | None, source: SyncdError | None, line: str
) -> None:
    assert standing(outcome, failure, source) == line
