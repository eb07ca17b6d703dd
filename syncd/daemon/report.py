"""What the daemon tells people in its log: each thing once, never a secret."""

from collections.abc import Callable
from typing import Final

from syncd.core import advice
from syncd.core.change import Change, Operation
from syncd.core.control import Control
from syncd.core.digest import shown_hash
from syncd.core.errors import Conflict, Kind, StateError, SyncdError
from syncd.core.plan import Plan
from syncd.core.problems import TreeError
from syncd.core.text import some
from syncd.daemon.outcome import Outcome
from syncd.daemon.standing import standing
from syncd.log import get_logger

log = get_logger(__name__)

MAX_CHANGES: Final = 20
MAX_PROBLEMS: Final = 20
MAX_VALUE_CHARACTERS: Final = 60

_KEEP: Final = (
    "to keep a change, put it into the file and line named above and commit; "
    "while one stands (paused, or drift: report), {command} does that"
)
_DONE: Final = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.MARK: "marked",
    Operation.TAKEOVER: "took over",
    Operation.RELEASE: "released",
    Operation.DELETE: "deleted",
}


class Report:
    """Logs outcomes and errors as they change; says nothing where nothing is new.

    ``root`` is the tree's path in the repository, ``place`` as in ``Parts``: who reads it must find what is named.
    """

    def __init__(self, root: str, place: str) -> None:
        self._root = root
        self._flags = place
        self._told: dict[str, str] = {}
        self._edits: tuple[str, ...] = ()
        self._orders = Control()
        self._drift: dict[str, str] = {}
        self._outcome: Outcome | None = None
        self._source_error: SyncdError | None = None
        self._store_error: SyncdError | None = None
        self._journal_error: SyncdError | None = None

    @property
    def standing(self) -> str:
        """How the daemon stands after the last pass, in one line."""
        return standing(self._outcome, self._store_error, self._source_error, self._journal_error)

    def outcome(self, outcome: Outcome) -> None:
        """Tell how a pass ended."""
        plan, self._outcome = outcome.plan, outcome
        self._reported(outcome)
        if outcome.result != "paused" and self._told.pop("paused", ""):
            log.info("no longer paused")
        if outcome.healed and plan is not None:
            self._healed(plan)
            self._withheld(plan)
        elif outcome.result == "applied" and plan is not None:
            self._told.pop("withheld", None)
            self._told["outcome"] = _in_sync(plan)
            self._applied(plan)
        elif outcome.result == "refused" and plan is not None:
            self._once("outcome", f"refused {plan.hash}", lambda: self._refused(plan, begun=outcome.begun))
        elif outcome.result == "standby":
            self._once("outcome", f"standby {outcome.holder}", lambda: log.info("standing by", leader=outcome.holder))
        elif outcome.result == "paused":
            self._told["outcome"] = "paused"
            self._once("paused", f"paused {self._orders.pause}", self._paused)
        elif plan is not None:
            self._once(
                "outcome",
                _in_sync(plan),
                lambda: log.info("in sync", commit=plan.commit.short, keys=plan.keys),
            )
            self._withheld(plan)

    def orders(self, orders: Control) -> None:
        """Take note of the orders by which the next passes go: whoever gave them is named with what they do."""
        self._orders = orders

    def source_error(self, error: SyncdError | None) -> None:
        """Tell what is wrong with the desired state when it begins; None: nothing is."""
        self._source_error = error
        if error is not None:
            self._once("source", str(error), lambda: self._error(error))
        elif self._told.pop("source", None):
            log.info("the desired state can be read again")

    def store_error(self, error: SyncdError | None) -> None:
        """Tell what keeps a pass from its end when it begins; None: nothing does."""
        self._store_error = error
        if error is not None:
            self._once("store", f"{type(error).__name__} {error}", lambda: self._error(error))
        elif not self._told.pop("store", "Conflict").startswith("Conflict"):
            log.info("works again")

    def journal_error(self, error: StateError | None) -> None:
        """Tell what keeps changes from subscribers when it begins; None: nothing does."""
        self._journal_error = error
        if error is not None:
            self._once("journal", str(error), lambda: self._error(error))
        elif self._told.pop("journal", None):
            log.info("the journal can be written again")

    def edits(self, paths: tuple[str, ...]) -> None:
        """Tell which files were edited and not committed, as often as that set changes."""
        if paths != self._edits and paths:
            files = some([self._place(path) for path in paths], 5)
            log.warning("uncommitted edits are not applied", files=files, hint="commit them, or run with --worktree")
        elif paths != self._edits:
            log.info("no uncommitted edits are left")
        self._edits = paths

    def _reported(self, outcome: Outcome) -> None:
        """Tell of drift that is left, once for each value."""
        if outcome.result not in ("applied", "unchanged"):
            return
        seen = {change.key: shown_hash(change.before.value) if change.before else "" for change in outcome.drift}
        news = [change for change in outcome.drift if self._drift.get(change.key) != seen[change.key]]
        known, looked = self._drift, outcome.looked
        self._drift = {key: value for key, value in known.items() if looked is not None and key not in looked} | seen
        for change in news[:MAX_CHANGES]:
            hint = f"to keep it: {advice.keep_drift(self._flags)}, then commit"
            log.warning("drift is reported and left", key=change.key, **self._drifted(change), hint=hint)
        if len(news) > MAX_CHANGES:
            log.warning("more keys drifted", count=len(news) - MAX_CHANGES)

    def _withheld(self, plan: Plan) -> None:
        if plan.withheld:
            keys = ", ".join(change.key for change, _ in plan.withheld[:5])
            self._once(
                "withheld",
                plan.hash,
                lambda: log.warning(
                    "deletes wait for an approval", count=len(plan.withheld), keys=keys, hint=self._approve_hint(plan)
                ),
            )

    def _once(self, topic: str, what: str, tell: Callable[[], None]) -> None:
        if self._told.get(topic) != what:
            self._told[topic] = what
            tell()

    def _paused(self) -> None:
        pause = self._orders.pause
        order = _given(by=pause.author, why=pause.reason) if pause is not None else {}
        log.warning("paused: nothing is written", **order, hint=f"to go on: {advice.resume(self._flags)}")

    def _applied(self, plan: Plan) -> None:
        if plan.lifted:
            approval = self._orders.approval
            order = {"by": approval.author, "plan": approval.hash} if approval is not None else {}
            log.info("approved", lifts=", ".join(plan.lifted), **order)
        for change in plan.changes[:MAX_CHANGES]:
            log.info(_DONE[change.operation], key=change.key, **self._values(change))
        if len(plan.changes) > MAX_CHANGES:
            log.info("more keys changed", count=len(plan.changes) - MAX_CHANGES)
        commit = plan.commit
        log.info(
            "applied",
            commit=commit.short,
            author=commit.author,
            message=commit.message.partition("\n")[0],
            keys=plan.keys,
            **plan.counts,
        )

    def _healed(self, plan: Plan) -> None:
        for change in plan.changes[:MAX_CHANGES]:
            log.warning(
                "healed" if change.operation is not Operation.MARK else "marked", key=change.key, **self._values(change)
            )
        if len(plan.changes) > MAX_CHANGES:
            log.warning("more keys were healed", count=len(plan.changes) - MAX_CHANGES)
        if any(change.operation is not Operation.MARK for change in plan.changes):
            log.warning(
                "the store was changed behind git's back, and git wins",
                commit=plan.commit.short,
                keys=len(plan.changes),
                hint=_KEEP.format(command=advice.keep_drift(self._flags)),
            )

    def _drifted(self, change: Change) -> dict[str, str]:
        """Show what git says as old and what stands in the store as new."""
        shown = self._values(change)
        live = shown.get("old", "(missing)")
        return {"git": shown["new"], "live": live, "at": shown["at"]}

    def _values(self, change: Change) -> dict[str, str]:
        shown: dict[str, str] = {}
        if change.before is not None and change.operation is not Operation.MARK:
            shown["old"] = shown_value(change.before.value, secret=change.secret)
        if change.wanted is not None:
            shown["new"] = shown_value(change.wanted.value, secret=change.secret)
            wanted = change.wanted
            shown["at"] = self._place(f"{wanted.path}:{wanted.line}:{wanted.column}")
        return shown

    def _refused(self, plan: Plan, *, begun: bool) -> None:
        for refusal in plan.refusals:
            log.error("refused", guard=refusal.guard.value, why=refusal.message, hint=refusal.hint)
        if plan.needs_approval:
            hint = self._approve_hint(plan, plan.commit.id if begun else "")
            event = "what was begun cannot go on" if begun else "nothing was changed; a person must decide"
            log.error(event, commit=plan.commit.short, hint=hint)

    def _approve_hint(self, plan: Plan, at: str = "") -> str:
        return f"{advice.plan(self._flags, at)}, then {advice.approve(plan.hash, self._flags, at)}"

    def _place(self, path: str) -> str:
        """Name a file from the repository's root, where a terminal finds it."""
        return f"{self._root}/{path}" if self._root else path

    def _error(self, error: SyncdError) -> None:
        if isinstance(error, TreeError):
            for problem in error.problems[:MAX_PROBLEMS]:
                log.error("invalid", at=problem.where, why=problem.message, **_given(hint=problem.hint))
            log.error(
                "the commit is invalid and changes nothing",
                commit=error.commit[:7],
                problems=len(error.problems),
                hint="syncd validate",
            )
        elif isinstance(error, Conflict):
            log.info("the store moved while it was written; planning again", why=error.message)
        else:
            tell = log.warning if error.kind is Kind.RETRY else log.error
            tell(error.message, **_given(at=error.where, hint=error.hint))


def shown_value(value: bytes, *, secret: bool) -> str:
    """Write a value for people: bounded, on one line, a hash where it is secret or not text."""
    if secret:
        return shown_hash(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"{len(value)} bytes, {shown_hash(value)}"
    if len(text) > MAX_VALUE_CHARACTERS:
        text = text[:MAX_VALUE_CHARACTERS] + "…"
    return text if text.isprintable() else repr(text)[1:-1]


def _in_sync(plan: Plan) -> str:
    return f"in sync {plan.commit.id} {plan.commit.worktree}"


def _given(**fields: str) -> dict[str, str]:
    """Leave out what is empty."""
    return {name: text for name, text in fields.items() if text}
