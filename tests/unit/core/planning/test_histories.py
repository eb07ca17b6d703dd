"""Whole histories against a store in memory: commits, strangers, crashes between any two transactions, late batches.

The node is the executor of the design in a few lines; what it sends are the real transaction bodies.
"""

import json
from base64 import b64decode
from itertools import pairwise
from typing import Any, Final

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from syncd.core import digest, keys
from syncd.core.change import Change, Operation
from syncd.core.desired import Commit
from syncd.core.history import Relation, gravest
from syncd.core.live import Entry
from syncd.core.plan import Plan
from syncd.core.planning import Situation, make_plan
from syncd.core.record import FORMAT, Applying, Record, applied_of, commits_to_follow, decode, encode
from syncd.core.transaction import Batch, Fence, batches, in_one, record_batch
from tests.support.planning import OURS, PREFIX, SOURCE, THEIRS, desired, tree

RECORD: Final = keys.record_key(PREFIX)
NAMES: Final = [f"k{number:02}" for number in range(14)]
names, values = st.sampled_from(NAMES), st.sampled_from(["1", "2", "3"])
trees = st.dictionaries(names, values, min_size=10) | st.dictionaries(names, values, max_size=3)


class Crash(Exception):
    """The node was killed, or its transaction was refused: it starts anew."""


class MemoryStore:
    """Consul's rules on transactions, as far as syncd uses them."""

    def __init__(self) -> None:
        self.kv: dict[str, Entry] = {}
        self.index = 10
        self.deleted: list[tuple[str, Entry]] = []

    def live(self) -> dict[str, Entry]:
        own = keys.own_prefix(PREFIX)
        return {key.removeprefix(own): entry for key, entry in self.kv.items() if not keys.is_reserved(PREFIX, key)}

    def record(self) -> tuple[Record | None, int]:
        entry = self.kv.get(RECORD)
        return (decode(entry.value), entry.index) if entry else (None, 0)

    def put(self, key: str, value: bytes, flags: int) -> None:
        self.index += 1
        self.kv[key] = Entry(value, flags, self.index)

    def transact(self, body: bytes) -> None:
        operations = [operation["KV"] for operation in json.loads(body)]
        assert (operations[0]["Verb"], operations[0]["Key"]) == ("check-session", keys.lease_key(PREFIX))
        assert operations[1]["Verb"] in ("cas", "check-index")
        assert operations[1]["Key"] == RECORD
        if not all(self._holds(operation) for operation in operations[1:]):
            raise Crash
        self.index += 1
        for operation in operations[1:]:
            self._write(operation)

    def _holds(self, operation: dict[str, Any]) -> bool:
        entry = self.kv.get(operation["Key"])
        return int(operation.get("Index", 0)) == (entry.index if entry else 0)

    def _write(self, operation: dict[str, Any]) -> None:
        key = operation["Key"]
        if operation["Verb"] == "cas":
            entry = Entry(b64decode(operation["Value"]), operation.get("Flags", 0), self.index)
            stands = self.kv.get(key)
            if stands is None or (stands.value, stands.flags) != (entry.value, entry.flags):
                self.kv[key] = entry  # Consul leaves the index of an equal value where it is
        elif operation["Verb"] == "delete-cas":
            self.deleted.append((key.removeprefix(keys.own_prefix(PREFIX)), self.kv.pop(key)))


class Histories(RuleBasedStateMachine):
    """Commits are numbers; ``parents`` and ``trees`` say what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.parents: dict[str, str | None] = {"c0": None}
        self.trees = {"c0": tree(**dict.fromkeys(NAMES, "1"))}
        self.tip = "c0"
        self.wire: list[tuple[int, bytes]] = []
        self.strange: set[str] = set()  # what strangers touched since the node last read
        self.named: set[str] = set()  # what any commit that was begun has named
        self.approved: str | None = None
        self.stamps = 0
        self.walked: list[str] = []  # what was applied in this run
        self.budget: int | None = None
        self.lands = False

    # What git does

    @rule(values=trees)
    def commit(self, values: dict[str, str]) -> None:
        self._commit(self.tip, values)

    @rule(name=names, value=values)
    def edit(self, name: str, value: str) -> None:
        self._commit(
            self.tip, {key: wanted.value.decode() for key, wanted in self.trees[self.tip].items()} | {name: value}
        )

    @rule(name=names)
    def drop(self, name: str) -> None:
        kept = {key: wanted.value.decode() for key, wanted in self.trees[self.tip].items() if key != name}
        self._commit(self.tip, kept)

    @rule(values=trees, data=st.data())
    def rewrite(self, values: dict[str, str], data: st.DataObject) -> None:
        self._commit(data.draw(st.sampled_from(sorted(self.parents))), values)

    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        self.tip = data.draw(st.sampled_from(sorted(self.parents)))

    def _commit(self, parent: str, values: dict[str, str]) -> None:
        self.tip = f"c{len(self.parents)}"
        self.parents[self.tip], self.trees[self.tip] = parent, tree(**values)

    # What strangers do

    @rule(name=names, value=values, flags=st.sampled_from([0, 0, OURS, 42, THEIRS]))
    def put_by_hand(self, name: str, value: str, flags: int) -> None:
        self.strange.add(name)
        self.store.put(keys.join(PREFIX, name), value.encode(), flags)

    @rule(name=names)
    def delete_by_hand(self, name: str) -> None:
        self.strange.add(name)
        self.store.kv.pop(keys.join(PREFIX, name), None)

    @rule()
    def lose_the_record(self) -> None:
        self.store.kv.pop(RECORD, None)

    @precondition(lambda self: self.wire)
    @rule()
    def a_late_batch_arrives(self) -> None:
        stood, body = self.wire.pop()
        moved = self.store.record()[1] != stood
        try:
            self.store.transact(body)
        except Crash:
            return
        assert not moved, "a batch of an older attempt landed"
        self.strange.update(NAMES)

    # What syncd does

    @rule(
        budget=st.none() | st.integers(0, 6),
        lands=st.booleans(),
        approve=st.booleans(),
        staged=st.booleans(),
        forgotten=st.booleans(),
    )
    def run(self, budget: int | None, lands: bool, approve: bool, staged: bool, forgotten: bool) -> None:
        self.budget, self.lands, self.staged, self.forgotten = budget, lands, staged, forgotten
        record, _ = self.store.record()
        resumes = bool(record and record.applying and record.applying.lifted)
        before, self.store.deleted, self.walked = record.applied if record else None, [], []
        try:
            finished = self.reconcile(approve)
        except Crash:
            finished = False
        after, _ = self.store.record()
        if not approve and not resumes:
            assert len(self.store.deleted) <= 2 * 10  # at most two commits, the one begun and the tip
            assert record is not None or not self.store.deleted
        if before is not None and after is not None and after.applied is not None:
            # Step by step: what was begun and the tip may each be approved, and lead to an ancestor together.
            for older, newer in pairwise((before.commit, *self.walked, after.applied.commit)):
                relation = self.relation(older, newer)
                assert relation is not Relation.BEHIND
                assert approve or resumes or relation is not Relation.REWRITTEN
        for name, entry in self.store.deleted:
            assert entry.flags == OURS or name in self.named
        if finished:
            self.twice_is_once(approve)

    def twice_is_once(self, approve: bool) -> None:
        stood = self.store.index
        self.budget = None
        assert self.reconcile(approve)
        assert self.store.index == stood

    def reconcile(self, approve: bool) -> bool:
        """Finish what was begun, then go to the tip; False where a guard stands in the way."""
        record, index = self.store.record()
        if record is not None and record.applying is not None:
            self.write_record(record, index)
            begun = record.applying.commit
            if begun != self.tip and not self.bring(begun, approve):
                return False
        return self.bring(self.tip, approve)

    def bring(self, commit: str, approve: bool) -> bool:
        record, index = self.store.record()
        self.strange.clear()
        plan = self.plan(commit, record)
        if record is not None and record.applying is not None and record.applying.commit == commit:
            plan = plan.lift(record.applying.lifted)
        if approve:
            plan = plan.approve(plan.hash)
        if plan.refusals:
            return False
        self.apply(plan, record, index)
        self.walked.append(commit)
        return True

    def plan(self, commit: str, record: Record | None) -> Plan:
        base = self.trees[record.applied.commit] if record and record.applied and not self.forgotten else None
        followed = commits_to_follow(record, commit)
        relation = gravest(self.relation(held, commit) for held in followed)
        wanted = desired(self.trees[commit])
        return make_plan(Situation(SOURCE, PREFIX, Commit(commit), wanted, self.store.live(), record, base, relation))

    def apply(self, plan: Plan, record: Record | None, index: int) -> None:
        before = record or Record(FORMAT, SOURCE, "line", OURS, "epoch")
        if not plan.changes and record is not None and self.is_done(plan, record):
            return
        self.named |= self.trees[plan.commit.id].keys()
        applied = applied_of(
            plan.commit, keys=plan.keys, digest=digest.render(plan.digest), previous=None, manifest=None
        )
        final = msgspec.structs.replace(before, applied=applied, applying=None, rebuilt=plan.rebuilt)
        whole = in_one(self.fence, self.stamped(final), index, plan.changes)
        assert whole is not None
        if not self.staged:
            self.send(whole)
        else:
            applying = Applying(plan.commit.id, 0, lifted=plan.lifted)
            index = self.write_record(msgspec.structs.replace(before, applying=applying), index)
            self.stage(index, [change for change in plan.changes if change.operation is not Operation.DELETE])
            self.stage(index, [change for change in plan.changes if change.operation is Operation.DELETE])
            self.write_record(final, index)
        self.check_whole(plan)

    def is_done(self, plan: Plan, record: Record) -> bool:
        applied = record.applied.commit if record.applied else None
        return (applied, record.applying, record.rebuilt) == (plan.commit.id, None, plan.rebuilt)

    def check_whole(self, plan: Plan) -> None:
        """The record says that a revision is whole: then it is, but for what strangers did meanwhile."""
        live = self.store.live()
        for key, wanted in self.trees[plan.commit.id].items():
            assert key in self.strange or live[key].value == wanted.value
        assert digest.render(plan.digest) == digest.render(desired(self.trees[plan.commit.id]).digest)

    def stage(self, index: int, changes: list[Change]) -> None:
        for pair in (changes[start : start + 2] for start in range(0, len(changes), 2)):
            for item in batches(self.fence, index, pair):
                assert isinstance(item, Batch)
                self.send(item)

    def write_record(self, record: Record, index: int) -> int:
        self.send(record_batch(self.fence, self.stamped(record), index))
        return self.store.record()[1]

    def stamped(self, record: Record) -> bytes:
        self.stamps += 1
        return encode(msgspec.structs.replace(record, stamp=str(self.stamps)))

    def send(self, batch: Batch) -> None:
        if self.budget == 0:
            if self.lands:
                self.store.transact(batch.body)
            else:
                self.wire.append((self.store.record()[1], batch.body))
            raise Crash
        self.budget = None if self.budget is None else self.budget - 1
        self.store.transact(batch.body)

    @property
    def fence(self) -> Fence:
        return Fence(SOURCE, PREFIX, "session")

    def relation(self, held: str, target: str) -> Relation:
        if held == target:
            return Relation.SAME
        if held in self.ancestors(target):
            return Relation.DESCENDANT
        return Relation.BEHIND if target in self.ancestors(held) else Relation.REWRITTEN

    def ancestors(self, commit: str) -> set[str]:
        found: set[str] = set()
        parent = self.parents[commit]
        while parent is not None:
            found.add(parent)
            parent = self.parents[parent]
        return found

    def teardown(self) -> None:
        """Left alone and allowed to, syncd always ends at the tip, unless that is behind what the store holds."""
        self.budget, self.staged, self.forgotten, self.wire = None, False, False, []
        ended = self.reconcile(approve=True)
        record, _ = self.store.record()
        if ended:
            live = self.store.live()
            assert {key: live[key].value for key in self.trees[self.tip]} == {
                key: wanted.value for key, wanted in self.trees[self.tip].items()
            }
            assert {key for key, entry in live.items() if entry.flags == OURS} == self.trees[self.tip].keys()
        else:
            assert record is not None
            assert self.relation_to_record(record) is Relation.BEHIND

    def relation_to_record(self, record: Record) -> Relation:
        return gravest(self.relation(held, self.tip) for held in commits_to_follow(record, self.tip))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
