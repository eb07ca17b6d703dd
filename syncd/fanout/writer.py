"""One thread that has a SQLite connection to itself and commits whatever has gathered, as one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

T = TypeVar("T")

_Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]
_MOST: Final = 1000


class Writer:
    """Runs jobs in order; those that share a transaction succeed or fail together.

    ``connection`` is in autocommit mode; nobody else may use it. Needs a running event loop.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="syncd-journal", daemon=True)
        self._thread.start()

    def run(self, job: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Have a job done; the future ends when its transaction is on disk, or with the error that kept it off."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, future))
        return future

    async def close(self) -> None:
        """Do what was handed in, then close the connection."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        over = False
        while not over:
            jobs = [self._jobs.get()]
            while len(jobs) < _MOST and not self._jobs.empty():
                jobs.append(self._jobs.get())
            over = None in jobs
            self._commit([job for job in jobs if job is not None])
        self._connection.close()

    def _commit(self, jobs: list[_Job]) -> None:
        answers: list[Any] = []
        failure: Exception | None = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            answers = [job(self._connection) for job, _ in jobs]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to those who wait
            failure = error
            if self._connection.in_transaction:  # on a full disk SQLite itself has taken everything back
                self._connection.execute("ROLLBACK")
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, [future for _, future in jobs], answers, failure)


def _settle(futures: list["asyncio.Future[Any]"], answers: list[Any], failure: Exception | None) -> None:
    for number, future in enumerate(futures):
        if future.done():  # whoever waited was cancelled
            continue
        if failure is None:
            future.set_result(answers[number])
        else:
            future.set_exception(failure)
