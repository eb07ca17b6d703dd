"""How the daemon stands after a pass, in one line: what ``systemctl status`` shows."""

from syncd.core.errors import Conflict, Kind, StoreError, SyncdError
from syncd.core.plan import Plan
from syncd.core.problems import TreeError
from syncd.core.text import count
from syncd.daemon.outcome import Outcome


def standing(outcome: Outcome | None, failure: SyncdError | None, *troubles: SyncdError | None) -> str:
    """Say how the last pass ended: by its outcome, with what is wrong beside it, or by what kept it from its end."""
    if failure is not None:
        return _failed(failure)
    ended = _ended(outcome) if outcome is not None else ""
    return "; ".join(filter(None, (ended, *(_wrong(each) for each in troubles if each is not None))))


def _failed(error: SyncdError) -> str:
    if isinstance(error, Conflict):
        return "planning again: the store moved while it was written"
    if isinstance(error, StoreError) and error.kind is Kind.RETRY:
        return f"the store does not answer: {error.message}"
    return _wrong(error)


def _wrong(error: SyncdError) -> str:
    if isinstance(error, TreeError):
        return f"commit {error.commit[:7]} is invalid: {count(len(error.problems), 'problem')}"
    return error.message


def _ended(outcome: Outcome) -> str:
    if outcome.result == "standby":
        return f"standing by, {outcome.holder} leads"
    if outcome.result == "paused":
        return "paused: nothing is written"
    if outcome.plan is None:
        return ""
    return _refused(outcome.plan) if outcome.result == "refused" else _in_sync(outcome.plan)


def _refused(plan: Plan) -> str:
    return "refused: " + "; ".join(refusal.message for refusal in plan.refusals)


def _in_sync(plan: Plan) -> str:
    waiting = f"; {count(len(plan.withheld), 'delete')} waiting for an approval" if plan.withheld else ""
    return f"in sync at {plan.commit.short}, {count(plan.keys, 'key')}{waiting}"
