"""Fault 1: a daemon killed at any step between journal and acknowledgement loses nothing that it has to tell."""

import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final

import pytest

from tests.support.consul import free_port
from tests.support.hook import Hook, deaf, hook
from tests.support.process import Process, running
from tests.support.proxy import Exchange, Fault, proxy_to, request_to
from tests.support.replica import Replica
from tests.support.repository import TREE
from tests.support.scene import Scene
from tests.support.waiting import wait_until

STRACE: Final = shutil.which("strace") or ""
EVERY: Final = 3  # of the journal's writes the daemon dies at one in so many


class Teller:
    """A real ``syncd`` with one subscriber, its commits and its journal."""

    def __init__(self, scene: Scene, port: int) -> None:
        self.scene = scene
        self.port = port
        self._home = scene.home
        self._home.mkdir()
        self.journal = self._home / "a" / "journal.db"
        self._number = 0

    def run(self, *, address: str = "", under: str = "") -> AbstractContextManager[Process]:
        """Run it, killed at the latest at the end of the block."""
        live = self.scene.live
        flags = {"--path": TREE, "--prefix": live.prefix, "--address": address or live.agent.address}
        flags |= {"--state-directory": str(self._home / "a")}
        words = [word for pair in flags.items() for word in pair]
        return running("run", *words, cwd=self.scene.repository.folder, home=self._home, under=under)

    def begin(self, there: Hook) -> None:
        """Tell the full state, and stop in order."""
        settings = there.subscriber("all", self._home)
        (self.scene.repository.folder / "syncd.toml").write_text(settings)
        with self.run() as daemon:
            there.wait_for_tries(1)
            assert daemon.stop() == 0
        assert self.told() == 0

    def commit(self) -> str:
        """Change one key together with another, and delete or create a third."""
        self._number += 1
        third = f"odd: {self._number}\n" if self._number % 2 else ""
        return self.scene.repository.commit({"some.yaml": f"key: {self._number}\nsame: {self._number}\n{third}"})

    def events(self) -> list[str]:
        """List the ids of the events in the journal."""
        return [id_ for (id_,) in self._ask("SELECT id FROM event ORDER BY seq")]

    def told(self) -> int | None:
        """Return the number of the last event that is noted as told."""
        ((seq,),) = self._ask("SELECT told FROM subscriber")
        return seq  # type: ignore[no-any-return]  # sqlite3 carries no types

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchall()

    @contextmanager
    def without_journal(self) -> Iterator[None]:
        """Take the journal's file away for a while."""
        aside = self.journal.with_name("aside")
        self.journal.rename(aside)
        yield
        aside.rename(self.journal)

    def is_up_to_date(self, there: Hook) -> bool:
        """Tell whether the subscriber knows what the store holds, and that is the last commit."""
        if self.scene.live.applied() != self.scene.repository.git("rev-parse", "HEAD"):
            return False
        live = {key: value.decode() for key, value in self.scene.live.values().items()}
        return there.replica.keys == live


@pytest.fixture
def there() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def teller(scene: Scene, there: Hook) -> Teller:
    """A node whose subscriber knows the first commit."""
    made = Teller(scene, there.port)
    made.begin(there)
    return made


def look(replica: Replica) -> None:
    assert replica.keys.get("some/key") == replica.keys.get("some/same"), "half a revision"


def restart(teller: Teller, there: Hook) -> None:
    """Start again, and wait until the subscriber knows everything and the journal knows that."""
    with teller.run() as daemon:
        daemon.wait_for_output("following")
        daemon.wait_for(lambda: teller.is_up_to_date(there), "the subscriber knows less than the store holds")
        daemon.wait_for(lambda: teller.told() == len(teller.events()), "it is not noted")
        assert daemon.stop() == 0


# promise 15
def test_killed_before_the_journal_has_it_what_changed_is_told_after_the_restart(teller: Teller, there: Hook) -> None:
    with teller.run() as daemon:
        daemon.wait_for_output("in sync")
        with teller.without_journal():
            commit = teller.commit()
            daemon.wait_for_output("the journal cannot be used")
            assert teller.scene.live.applied() == commit, "git goes on"
            daemon.kill()
    assert len(there.tries) == 1
    restart(teller, there)
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
    restart(teller, there)
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
        restart(teller, again)
        assert again.ids == teller.events() == [event]


# promise 17
def test_killed_before_the_receiver_answers_it_is_told_again_by_the_same_id(teller: Teller, there: Hook) -> None:
    there.hold()
    with teller.run() as daemon:
        teller.commit()
        there.wait_for_tries(2)
        daemon.kill()
    there.release()
    restart(teller, there)
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
    restart(teller, there)
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
    restart(teller, there)
    assert there.replica.commit == commit
    assert there.ids[2:] == [teller.events()[-1]]
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
    restart(teller, there)


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
