"""What one key is, in the words of the design."""

from enum import StrEnum

from syncd.core.change import Change, Operation, is_claimed
from syncd.core.desired import BaseKey, DesiredKey
from syncd.core.digest import value_hash
from syncd.core.live import Entry
from syncd.core.mapping.globs import matcher
from syncd.core.mark import is_mark
from syncd.core.plan import Plan
from syncd.core.rules import Rules
from syncd.core.tree import possible_files


class State(StrEnum):
    """Everything that a key can be."""

    IN_SYNC = "in sync"
    NEW = "new"
    CHANGED = "changed in git"
    GONE = "gone from git"
    MISSING = "missing"
    DRIFT = "drift"
    REPORTED = "reported drift"
    UNMARKED = "unmarked"
    FOREIGN = "foreign"
    IN_THE_WAY = "foreign, in the way"
    ORPHAN = "orphan"
    WITHHELD = "withheld"
    LOCKED = "locked"
    OTHERS = "another source's"
    KEPT = "kept"
    IGNORED = "ignored"


_LEFT = {
    "drift": State.REPORTED,
    "prune": State.KEPT,
    "ignored": State.IGNORED,
    "foreign": State.FOREIGN,
    "orphan": State.ORPHAN,
    "unproved": State.WITHHELD,
}
_CHANGED = {Operation.MARK: State.UNMARKED, Operation.TAKEOVER: State.IN_THE_WAY, Operation.DELETE: State.GONE}


def state_of(key: str, plan: Plan, live: Entry | None, based: BaseKey | None, mark: int) -> State:
    """Name what a key that stands in git or in the store is, given the plan for it."""
    reasons = [str(left.why) for left in plan.left if left.key == key]
    reasons += [str(why) for change, why in plan.withheld if change.key == key]
    change = next((change for change in plan.changes if change.key == key), None)
    if live is not None and is_claimed(live, mark) and (change is not None or reasons):
        return State.OTHERS if is_mark(live.flags) and live.flags != mark else State.LOCKED
    if reasons and reasons[0] in _LEFT:
        return _LEFT[reasons[0]]
    if change is None:
        return State.IN_SYNC if live is not None and live.flags == mark else State.FOREIGN
    return _CHANGED.get(change.operation) or _written(change, based)


def _written(change: Change, based: BaseKey | None) -> State:
    """Tell whether git or the store moved, for a create or an update."""
    if based is None:
        return State.NEW if change.before is None else State.CHANGED
    if change.before is None:
        return State.MISSING
    return State.CHANGED if value_hash(change.before.value) == based.hash else State.DRIFT


def is_secret(
    key: str, live: Entry | None, wanted: DesiredKey | None, based: BaseKey | None, state: State, rules: Rules
) -> bool:
    """Tell whether a key's value may not be shown.

    What a source of syncd wrote may have been a secret there, where nobody remembers it.
    """
    if wanted is None and based is None:
        stranger = state is State.FOREIGN and live is not None and not is_mark(live.flags)
        return not stranger or would_be_secret(key, rules)
    return (wanted is not None and wanted.secret) or (based is not None and based.secret)


def would_be_secret(key: str, rules: Rules) -> bool:
    """Tell whether a file that could say a key would make it a secret."""
    found = {rules.policy(path).secret for path in possible_files(key)}
    return any(matcher(secret)(key) if isinstance(secret, tuple) else secret for secret in found)
