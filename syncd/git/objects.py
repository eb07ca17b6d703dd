"""One long-lived ``git cat-file --batch``: reading an object costs microseconds, not a new process.

Git itself notices loose refs that moved and objects that were packed anew under a running process. What it cannot
notice is another repository in the same place, and refs packed twice within a second: it tells those apart by seconds,
size and inode alone. So the process is started again when the folder or the file of packed refs is another one.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final

import msgspec

from syncd.core.errors import GitBusy, GitError
from syncd.core.tree import MAX_FILE_BYTES
from syncd.git.process import Git
from syncd.git.raw import object_name
from syncd.git.repository import Repository

Place = tuple[int, int, tuple[int, int, int] | None]
"""Device and inode of a repository's folder; time, inode and size of its packed refs, if there are any."""
_CHUNK: Final = 256 * 1024


class Found(msgspec.Struct, frozen=True):
    """An object; ``content`` is None where it is over the size that is kept."""

    oid: str
    kind: str
    size: int
    content: bytes | None


class Missing(msgspec.Struct, frozen=True):
    """The repository has no such object (``missing``), or several whose names begin so (``ambiguous``)."""

    name: str
    reason: str


class Objects:
    """Reads a repository's objects; ``asked`` counts the requests made so far, ``alive`` is called as git answers."""

    def __init__(self, repository: Repository, git: Git) -> None:
        self._repository = repository
        self._git = git
        self._lock = asyncio.Lock()
        self._batch: _Batch | None = None
        self.asked = 0
        self.alive: Callable[[], None] = lambda: None

    async def read(self, names: Sequence[str]) -> AsyncGenerator[Found | Missing, None]:
        """Answer each name in order; names are anything that git resolves. Leave it only by ``aclosing``."""
        async with self._lock:
            done, died_at = 0, -1
            while done < len(names):
                self._answered()
                try:
                    async with aclosing(self._answers(names[done:])) as answers:
                        async for answer in answers:
                            done += 1
                            self.asked += 1
                            self._answered()
                            yield answer
                except EOFError as error:
                    if died_at == done:
                        raise self.damaged(names[done], str(error)) from None
                    died_at = done  # once may be chance: the process was killed

    async def one(self, name: str) -> Found | Missing:
        """Answer one name."""
        (answer,) = [answer async for answer in self.read([name])]
        return answer

    async def get(self, oid: str, kind: str) -> bytes:
        """Return an object that must be there."""
        answer = await self.one(oid)
        return self.demand(answer, kind)

    def demand(self, answer: Found | Missing, kind: str) -> bytes:
        """Return the content of an object that must be there and be of that kind."""
        if isinstance(answer, Missing):
            raise self._lost(answer)
        if answer.kind != kind or answer.content is None:
            raise self.damaged(answer.oid, f"a {answer.kind} of {answer.size} bytes where a {kind} belongs")
        return answer.content

    def damaged(self, name: str, why: str) -> GitError:
        """Make the error that says an object cannot be used."""
        return GitError(
            f"object {name} is damaged: {why}" if why else f"object {name} is damaged",
            where=str(self._repository.root),
            hint="the last state is kept; git fsck shows the damage, a fresh clone mends it",
        )

    async def restart(self) -> None:
        """Forget the process; the next read starts another."""
        async with self._lock:
            await self._stop()

    async def close(self) -> None:
        """End the process."""
        await self.restart()

    async def _answers(self, names: Sequence[str]) -> AsyncGenerator[Found | Missing, None]:
        batch = await self._running()
        whole = False
        try:
            async with aclosing(batch.answers(names)) as answers:
                async for answer in answers:
                    self._check(answer)
                    yield answer
            whole = True
        finally:
            if not whole:  # answers nobody waits for would be taken for those of the next names
                await self._stop()

    async def _running(self) -> "_Batch":
        place = self._identity()
        if self._batch is not None and (self._batch.place != place or self._batch.ended):
            await self._stop()
        if self._batch is None:
            self._batch = _Batch(place, await self._git.start("cat-file", "--batch"), self._answered)
        return self._batch

    def _answered(self) -> None:
        self.alive()

    async def _stop(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            await batch.end()

    def _identity(self) -> Place:
        try:
            found = self._repository.common.stat()
        except OSError as error:
            raise GitError(
                f"the repository is gone or unreadable: {error.strerror}",
                where=str(self._repository.common),
                hint="the last state is kept; put it back, or restart with another --repo",
            ) from error
        return found.st_dev, found.st_ino, self._packed()

    def _packed(self) -> tuple[int, int, int] | None:
        try:
            found = (self._repository.common / "packed-refs").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _check(self, answer: Found | Missing) -> None:
        if isinstance(answer, Missing) or answer.content is None:
            return
        if object_name(self._repository.algorithm, answer.kind, answer.content) != answer.oid:
            raise self.damaged(answer.oid, "its content does not match its name")

    def _lost(self, answer: Missing) -> GitBusy:
        return GitBusy(
            f"object {answer.name} is {answer.reason}",
            where=str(self._repository.root),
            hint="it may not have arrived yet; if it stays so: git fsck, or fetch without --depth and --filter",
        )


class _Batch:
    """A running process; ``place`` identifies what it was started for."""

    def __init__(self, place: Place, process: asyncio.subprocess.Process, alive: Callable[[], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.place = place
        self._process = process
        self._alive = alive
        self._stdin, self._stdout = process.stdin, process.stdout
        self._complaints = deque[bytes](maxlen=4)
        self._listener = asyncio.create_task(self._listen())

    @property
    def ended(self) -> bool:
        """Tell whether the process was seen to end."""
        return self._process.returncode is not None

    async def answers(self, names: Sequence[str]) -> AsyncGenerator[Found | Missing, None]:
        """Ask for all names at once and answer in their order; raise EOFError where the process dies."""
        try:
            # Not drained: the transport keeps what the pipe does not take yet, so that reading can begin at once.
            self._stdin.write(b"".join(os.fsencode(name) + b"\n" for name in names))
            for name in names:
                yield await self._answer(name)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise EOFError(await self._last_words()) from None

    async def end(self) -> None:
        """Kill the process and wait until its pipes are empty."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._stdin.close()
        while await self._stdout.read(_CHUNK):
            pass
        await self._listener
        await self._process.wait()

    async def _answer(self, name: str) -> Found | Missing:
        header = (await self._stdout.readuntil(b"\n"))[:-1]
        oid, _, rest = header.partition(b" ")
        kind, _, size = rest.partition(b" ")
        if not size.isdigit():  # "NAME missing", whatever spaces stand in the name
            return Missing(name, header.rpartition(b" ")[2].decode())
        return Found(oid.decode(), kind.decode(), int(size), await self._content(int(size)))

    async def _content(self, size: int) -> bytes | None:
        if size <= MAX_FILE_BYTES:
            return (await self._stdout.readexactly(size + 1))[:-1]
        left = size + 1
        while left:
            chunk = await self._stdout.read(min(left, _CHUNK))
            if not chunk:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(chunk)
            self._alive()
        return None

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(4096):
            self._complaints.append(said)

    async def _last_words(self) -> str:
        await self._listener
        lines = b"".join(self._complaints).decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("fatal: ") if lines else ""
