"""Apply operations to the state: all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.embedded import verbs
from syncd.embedded.errors import Failed
from syncd.embedded.records import Entry
from syncd.embedded.state import State
from syncd.embedded.step import Changes, Step
from syncd.embedded.verbs import Operation


@dataclass(slots=True)
class Outcome:
    """What a transaction did: entries to show, or which operations failed and how."""

    entries: list[Entry]
    failures: list[tuple[int, Failed]]
    changes: Changes


def apply(state: State, operations: Sequence[Operation], now: float) -> Outcome:
    """Apply ``operations`` in order as one step; later ones see earlier ones, one failure takes all back."""
    refused = _refused(state, operations, now)
    if refused:
        return Outcome([], refused, Changes())
    step = Step(state, now)
    entries, failures = _run(step, operations)
    if failures:
        step.take_back()
        return Outcome([], failures, Changes())
    return Outcome(entries, [], step.keep())


def _refused(state: State, operations: Sequence[Operation], now: float) -> list[tuple[int, Failed]]:
    found = ((at, verbs.refusal(operation, state, now)) for at, operation in enumerate(operations))
    return [(at, problem) for at, problem in found if problem]


def _run(step: Step, operations: Sequence[Operation]) -> tuple[list[Entry], list[tuple[int, Failed]]]:
    entries: list[Entry] = []
    failures: list[tuple[int, Failed]] = []
    for at, operation in enumerate(operations):
        try:
            entries += verbs.apply(step, operation)
        except Failed as problem:
            failures.append((at, problem))
    return entries, failures
