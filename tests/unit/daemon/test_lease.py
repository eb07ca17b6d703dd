"""The lease on a store of its own: what each node may conclude, and when it gives up by its own clock."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import Conflict
from syncd.core.lease import TABLE, Holder, LeaseEvent, LeaseState, move
from syncd.daemon.lease import Lease, held_by_other
from syncd.daemon.state import State
from syncd.embedded.server import start
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.proxy import Proxy, answer, lose_reply, proxy_to, request_to

TTL = 12.0
PREFIX = "config"
NOBODY = "00000000-0000-0000-0000-000000000000"


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    """The way to a store."""
    server = await start(tmp_path / "store.db", port=0)
    with proxy_to(server.address) as way:
        yield way
    await server.close()


@pytest.fixture
async def store(proxy: Proxy) -> AsyncIterator[Store]:
    async with Store(resolve_endpoint({}, address=proxy.address), PREFIX) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease_of(store: Store, clock: Clock, name: str = "a", state: State | None = None, *, ttl: float = TTL) -> Lease:
    return Lease(store, state, value=msgspec.json.encode(Holder(name, 1)), ttl=ttl, clock=clock)


@given(st.lists(st.sampled_from(LeaseEvent)))
def test_no_sequence_of_legal_events_leaves_the_table(events: list[LeaseEvent]) -> None:
    state = LeaseState.IDLE
    for event in events:
        if event in TABLE[state]:
            state = move(state, event)
            assert state in TABLE
        else:
            with pytest.raises(KeyError):
                move(state, event)


def test_only_the_store_makes_a_leader_and_every_state_can_resign() -> None:
    ways_to_lead = {(state, event) for state, moves in TABLE.items() for event, to in moves.items() if to == "leading"}
    assert ways_to_lead == {(LeaseState.STANDBY, LeaseEvent.ACQUIRED), (LeaseState.LEADING, LeaseEvent.RENEWED)}
    assert all(moves[LeaseEvent.RESIGNED] is LeaseState.IDLE for moves in TABLE.values())


async def test_the_first_leads_and_the_second_learns_who_does(store: Store, clock: Clock) -> None:
    first, second = lease_of(store, clock, "one"), lease_of(store, clock, "two")
    assert await first.campaign()
    assert not await second.campaign()
    assert (first.leading, second.leading) == (True, False)
    assert (first.holder, second.holder) == ("one", "one")
    first.demand()
    with pytest.raises(Conflict, match="no longer holds the lease"):
        second.demand()
    assert await held_by_other(store) == "one"


async def test_who_resigns_lets_the_next_lead_at_once(store: Store, clock: Clock) -> None:
    first, second = lease_of(store, clock, "one"), lease_of(store, clock, "two")
    await first.campaign()
    await first.resign()
    assert not first.leading
    assert await held_by_other(store) is None
    assert await second.campaign()
    await first.resign()  # resigning twice is nothing
    assert second.leading


async def test_a_lead_ends_by_its_own_clock_counted_from_when_the_renewal_was_sent(store: Store, clock: Clock) -> None:
    lease = lease_of(store, clock)
    await lease.campaign()
    clock.now += TTL - 0.1
    assert lease.leading
    assert not await lease.renew()
    clock.now += TTL - 0.1
    lease.demand()
    clock.now += 0.2
    with pytest.raises(Conflict):
        lease.demand()
    assert await lease.campaign(), "its session lives on, so that it may lead again"


async def test_a_lead_that_ran_out_is_not_revived_by_a_late_renewal(store: Store, clock: Clock) -> None:
    lease = lease_of(store, clock)
    await lease.campaign()
    clock.now += TTL + 1
    assert not lease.leading
    assert not await lease.renew()
    assert not lease.leading


async def test_a_session_that_the_store_ended_is_noticed_and_replaced(store: Store, clock: Clock) -> None:
    lease = lease_of(store, clock)
    await lease.campaign()
    session = lease.session
    await store.destroy_session(session)
    assert await lease.renew(), "it led, and leads no more"
    assert not await lease.renew()
    assert await lease.campaign()
    assert lease.session != session


async def test_a_standby_whose_session_ended_gets_another(store: Store, clock: Clock) -> None:
    leader, standby = lease_of(store, clock, "one"), lease_of(store, clock, "two")
    await leader.campaign()
    await standby.campaign()
    assert not await standby.renew()
    await store.destroy_session(standby.session)
    assert not await standby.renew()
    await standby.campaign()
    await store.destroy_session(standby.session)
    assert not await standby.campaign(), "the other still leads"
    await leader.resign()
    assert await standby.campaign()


async def test_a_lock_that_is_gone_is_noticed_though_the_session_lives(
    store: Store, clock: Clock, proxy: Proxy
) -> None:
    lease = lease_of(store, clock)
    await lease.campaign()
    await delete_lease(store)
    assert await lease.renew()
    assert not lease.leading
    assert await lease.campaign()


async def test_an_overwritten_value_is_repaired_and_the_lead_stays(store: Store, clock: Clock) -> None:
    lease = lease_of(store, clock)
    await lease.campaign()
    entry = await store.own("lease")
    assert entry is not None
    await store.put_own("lease", b"rubbish", index=entry.index)
    assert await held_by_other(store) == "somebody who left no name"
    assert not await lease.renew()
    assert lease.leading
    assert await held_by_other(store) == "a"


async def test_a_restart_goes_on_with_the_session_that_it_remembers(store: Store, clock: Clock, tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    died = lease_of(store, clock, "before", state)
    await died.campaign()
    again = lease_of(store, clock, "after", state)
    assert await again.campaign(), "it need not wait for its own former self"
    assert again.session == died.session
    assert await held_by_other(store) == "after"
    await again.resign()
    assert state.recall("session") is None
    await state.close()


async def test_an_answer_that_never_comes_leaves_time_for_another_try(store: Store, clock: Clock, proxy: Proxy) -> None:
    lease = lease_of(store, clock, ttl=0.3)  # a renewal waits a third of it, so 0.1 s here
    lease._ttl = TTL
    await lease.campaign()
    lease._ttl = 0.3
    proxy.when(request_to("PUT", "/v1/session/renew"), lose_reply)
    assert not await lease.renew()
    assert not await lease.renew()
    assert lease.leading


async def test_a_free_lease_that_is_not_given_is_asked_for_again(store: Store, clock: Clock, proxy: Proxy) -> None:
    """The session ended between its renewal and the lock: nobody would ever wake this node."""
    lease = lease_of(store, clock)
    proxy.when(request_to("PUT", "/v1/kv/", query="acquire="), answer(200, b"false"))
    with pytest.raises(Conflict, match="nobody holds the lease"):
        await lease.campaign()
    assert await lease.campaign()


async def test_keeping_looks_at_once_where_the_key_is_not_as_it_was_left(store: Store, clock: Clock) -> None:
    """Long before the next renewal is due."""
    lease = lease_of(store, clock)
    await lease.campaign()
    lost = asyncio.Event()
    keeping = asyncio.create_task(lease.keep(lost.set))
    lease.see(await store.own("lease"))
    await delete_lease(store)
    lease.see(await store.own("lease"))
    async with asyncio.timeout(TTL / 3):
        await lost.wait()
    assert not lease.leading
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_store_that_does_not_answer_is_no_reason_to_stop_renewing(tmp_path: Path, clock: Clock) -> None:
    server = await start(tmp_path / "store.db", port=0)
    async with Store(resolve_endpoint({}, address=server.address), PREFIX) as store:
        lease = lease_of(store, clock)
        await lease.campaign()
        await server.close()
        assert not await lease.renew()
        assert lease.leading
        clock.now += TTL
        assert await lease.renew()


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_the_lease_never_leaves_its_table(store: Store, clock: Clock, seed: int) -> None:
    dice = random.Random(seed)
    nodes = [lease_of(store, clock, name) for name in ("one", "two")]

    async def pass_time() -> None:
        clock.now += dice.choice((0.0, TTL / 2, TTL))

    async def end_a_session() -> None:
        await store.destroy_session(dice.choice(nodes).session or NOBODY)

    for _ in range(150):
        lease = dice.choice(nodes)
        acts = (lease.campaign, lease.renew, lease.resign, pass_time, end_a_session, lambda: delete_lease(store))
        with suppress(Conflict):
            await asyncio.gather(*(act() for act in dice.choices(acts, (6, 6, 1, 4, 1, 1), k=2)))
        assert all(node.state in TABLE and (node.session != "" or not node.leading) for node in nodes)


async def delete_lease(store: Store) -> None:
    body = [{"KV": {"Verb": "delete", "Key": f"{PREFIX}/.syncd/lease"}}]
    await store.transact(msgspec.json.encode(body))
