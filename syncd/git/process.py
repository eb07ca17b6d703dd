"""Running git, with every way in which a repository's own code could run shut.

Only plumbing is called: status, diff, checkout and archive run programs that the repository names.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.errors import GitError

_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    # A commit's id stands for its content: no replacement objects.
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A partial clone fetches what it lacks, over a transport that its own configuration chooses: never here.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


class Answer(msgspec.Struct, frozen=True):
    """What a git command said."""

    code: int
    output: bytes
    complaint: str

    @property
    def text(self) -> str:
        """The output as text, without the line's end."""
        return os.fsdecode(self.output).removesuffix("\n")


class Git:
    """The git command line in one repository; ``root`` is its work tree, or the bare repository itself."""

    def __init__(self, root: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.root = root
        own = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
        self._environment = own | _ENVIRONMENT

    async def run(self, *arguments: str) -> Answer:
        """Run a command to its end, whatever it answers."""
        process = await self.start(*arguments, stdin=asyncio.subprocess.DEVNULL)
        try:
            output, complaint = await process.communicate()
        except BaseException:
            process.kill()
            await process.communicate()
            raise
        return Answer(process.returncode or 0, output, complaint.decode(errors="replace").strip())

    async def ask(self, *arguments: str) -> Answer:
        """Run a command that must succeed."""
        answer = await self.run(*arguments)
        if answer.code:
            raise GitError(answer.complaint or f"git {arguments[0]} failed", where=str(self.root))
        return answer

    async def start(self, *arguments: str, stdin: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        """Start a command with pipes."""
        options = ("core.fsmonitor=false", "core.hooksPath=/dev/null", f"safe.directory={self.root}")
        try:
            return await asyncio.create_subprocess_exec(
                "git",
                *(part for option in options for part in ("-c", option)),
                *arguments,
                cwd=self.root,
                env=self._environment,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=1024 * 1024,
                # A Ctrl-C on the terminal is for syncd, which then ends its git in order.
                start_new_session=True,
            )
        except OSError as error:
            raise _cannot_start(error, self.root) from error


def _cannot_start(error: OSError, root: Path) -> GitError:
    if isinstance(error, FileNotFoundError) and root.is_dir():
        return GitError("git is not installed", hint="install git and see that it is on PATH")
    return GitError(
        f"git cannot run in the repository: {error.strerror}",
        where=str(root),
        hint="the last state is kept; see that the folder exists and may be read",
    )
