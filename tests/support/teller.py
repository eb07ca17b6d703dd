"""A real ``syncd`` that tells one subscriber, its journal seen from outside."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from tests.support.hook import Hook
from tests.support.process import Process, running
from tests.support.repository import TREE
from tests.support.scene import Scene


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

    def restart(self, there: Hook) -> None:
        """Start again, and wait until the subscriber knows everything and the journal knows that."""
        with self.run() as daemon:
            daemon.wait_for_output("following")
            daemon.wait_for(lambda: self.is_up_to_date(there), "the subscriber knows less than the store holds")
            daemon.wait_for(lambda: self.told() == len(self.events()), "it is not noted")
            assert daemon.stop() == 0
