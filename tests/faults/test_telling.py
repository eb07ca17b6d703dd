"""Fault 1: a daemon killed at any step between journal and acknowledgement loses nothing that it has to tell."""

import shlex
import shutil
from collections.abc import Callable
from typing import Final

import pytest

from tests.support.consul import free_port
from tests.support.hook import Hook, deaf, hook
from tests.support.proxy import Exchange, Fault, proxy_to, request_to
from tests.support.replica import Replica
from tests.support.scene import Scene
from tests.support.teller import Teller
from tests.support.waiting import wait_until

STRACE: Final = shutil.which("strace") or ""
EVERY: Final = 3  # of the journal's writes the daemon dies at one in so many


def look(replica: Replica) -> None:
    assert replica.keys.get("some/key") == replica.keys.get("some/same"), "half a revision"


# promise 15
def test_killed_before_the_journal_has_it_what_changed_is_told_after_the_restart(teller: Teller, there: Hook) -> None:
    with teller.run() as daemon:
        daemon.wait_for_output("in sync")
        with teller.without_journal():
            commit = teller.commit()
            daemon.wait_for_output("the journal cannot be used")
            daemon.wait_for(lambda: teller.scene.live.applied() == commit, "git does not go on")
            daemon.kill()
    assert len(there.tries) == 1
    teller.restart(there)
    assert [got.kind for got in there.tries[1:]] == ["revision.applied"]
    assert there.replica.commit == commit


# promise 15
@pytest.mark.parametrize("forward", [False, True], ids=["before the store has it", "before the daemon hears"])
def test_killed_as_the_store_takes_a_commit_it_is_told_once(teller: Teller, there: Hook, forward: bool) -> None:
    with proxy_to(teller.scene.live.agent.address) as proxy, teller.run(address=proxy.address) as daemon:
        daemon.wait_for_output("in sync")
        proxy.when(request_to("PUT", "/v1/txn"), killing(daemon.kill, forward=forward))
        commit = teller.commit()
        wait_until(lambda: daemon.process.poll() is not None, "it dies")
    teller.restart(there)
    assert [got.values for got in there.tries[1:]] == [{"some/key": "1", "some/same": "1", "some/odd": "1"}]
    assert there.replica.commit == commit


def killing(kill: Callable[[], None], *, forward: bool) -> Fault:
    async def fault(exchange: Exchange) -> None:
        if forward:
            await exchange.forward()
        kill()
        exchange.reset()

    return fault


# promise 15
def test_killed_after_the_journal_and_before_anything_was_sent_it_is_told_by_the_same_id(scene: Scene) -> None:
    port = free_port()
    teller = Teller(scene, port)
    with hook(port) as there:
        teller.begin(there)
    with deaf(port), teller.run() as daemon:
        teller.commit()
        daemon.wait_for(teller.events, "the event is not in the journal")
        daemon.kill()
    (event,) = teller.events()
    with hook(port) as again:
        again.replica = there.replica
        teller.restart(again)
        assert again.ids == teller.events() == [event]


# promise 17
def test_killed_before_the_receiver_answers_it_is_told_again_by_the_same_id(teller: Teller, there: Hook) -> None:
    there.hold()
    with teller.run() as daemon:
        teller.commit()
        there.wait_for_tries(2)
        daemon.kill()
    there.release()
    teller.restart(there)
    first, second = there.tries[1:]
    assert (first.id, first.body) == (second.id, second.body)


# promise 17
def test_killed_after_the_answer_and_before_that_is_on_disk_it_is_told_again_by_the_same_id(
    teller: Teller, there: Hook
) -> None:
    there.hold()
    with teller.run() as daemon:
        teller.commit()
        there.wait_for_tries(2)
        with teller.without_journal():
            there.release()
            daemon.wait_for_output("deliveries cannot be noted")
            daemon.kill()
    assert teller.told() == 0
    teller.restart(there)
    first, second = there.tries[1:]
    assert (first.id, first.body) == (second.id, second.body)


# promise 15
def test_killed_with_more_to_tell_the_subscriber_gets_what_came_last(teller: Teller, there: Hook) -> None:
    there.replica.look = look
    there.hold()
    with teller.run() as daemon:
        for number in range(1, 4):
            commit = teller.commit()
            daemon.wait_for(lambda number=number: len(teller.events()) == number)  # type: ignore[misc]
        daemon.kill()
    assert len(there.tries) == 2, "one at a time"
    there.release()
    teller.restart(there)
    assert there.replica.commit == commit
    (id_,) = there.ids[2:]
    assert id_.startswith(f"{teller.events()[-1]}-"), "a set has another id than its last event"
    assert there.tries[2].values == {"some/key": "3", "some/same": "3", "some/odd": "3"}


# promise 15
@pytest.mark.skipif(not STRACE, reason="no strace")
def test_killed_at_any_write_of_the_journal_nothing_is_lost_nor_told_by_halves(teller: Teller, there: Hook) -> None:
    there.replica.look = look
    deaths, write = 0, 0
    while not write or deaths == write // EVERY:
        write += EVERY
        deaths += die_at_write(teller, there, write)
    assert deaths > 2
    teller.restart(there)


def die_at_write(teller: Teller, there: Hook, number: int) -> bool:
    """Run until the thread that writes the journal begins its n-th write; False where it never comes to that."""
    wal = teller.journal.with_name("journal.db-wal")
    inject = f"inject=pwrite64,fdatasync:signal=KILL:when={number}"
    words = ["-D", "-f", "-qqq", "-o", "/dev/null", "-P", str(teller.journal), "-P", str(wal), "-e", inject]
    commit = teller.commit()
    with teller.run(under=shlex.join([STRACE, *words])) as daemon:
        ended = daemon.process.poll
        wait_until(
            lambda: ended() is not None or (there.replica.commit == commit and teller.told() == len(teller.events())),
            "neither dead nor done",
            lambda: daemon.output,
        )
        return ended() is not None
