"""A Consul of our own that lives as long as a drill: in a folder of its own, on loopback, joined to nobody."""

import asyncio
import os
import random
import re
import shutil
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from syncd.core.errors import SnapshotError
from syncd.log import get_logger

log = get_logger(__name__)

_FIRST, _LAST = 11_000, 32_000  # below the kernel's ephemeral ports, which outgoing connections take at any moment
_PORTS: Final = ("http", "server", "serf-lan")
_DIE_WITH_PARENT: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)
"""Sets PR_SET_PDEATHSIG to SIGKILL: the agent ends even where syncd is killed, or was killed before that was set."""
_QUIET: Final = "disable_update_check = true performance { raft_multiplier = 1 } connect { enabled = false }"
_GRPC_TLS: Final = (1, 14)
_ALONE: Final = " peering { enabled = false }"
"""From the same version on: what is restored must not make the scratch agent call other clusters."""
_TAIL: Final = 600
_NO_INTERFACES: Final = "bind_addr cannot be empty"
"""What a Consul says that may not list the network's interfaces, whatever address it is given."""
_UNIT_HINT: Final = "as a service: let the unit have RestrictAddressFamilies=AF_NETLINK (docs/snapshots.md, Every week)"


class Scratch:
    """A running agent; it may not serve yet."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._process = process
        self._log = log

    def demand(self) -> None:
        """Raise where the agent has ended."""
        code = self._process.returncode
        if code is not None:
            last = " ".join(self._log.read_text(errors="replace")[-_TAIL:].split())
            # To the log and nowhere else: errors are sent to other machines, and what a program prints may be anything.
            log.warning("the scratch Consul printed", output=last)
            hint = _UNIT_HINT if _NO_INTERFACES in last else "the log has its last words; no store of yours was touched"
            raise SnapshotError(f"the scratch Consul ended with {code}", hint=hint)


@asynccontextmanager
async def scratch_consul() -> AsyncIterator[Scratch]:
    """Start an agent; whatever happens in the block, it is killed afterwards and its folder removed."""
    binary = shutil.which("consul")
    if binary is None:
        hint = "install the consul of your cluster's version; syncd snapshot verify needs none"
        raise SnapshotError("there is no consul on PATH to restore into", hint=hint)
    with tempfile.TemporaryDirectory(prefix="syncd-drill-", ignore_cleanup_errors=True) as folder:
        ports, log = _free_ports(len(_PORTS)), Path(folder, "log")
        arguments = await _arguments(binary, Path(folder, "data"), ports)
        process = await _started([binary, "agent", *arguments], Path(folder), log)
        try:
            yield Scratch(process, ports[0], log)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _started(command: list[str], folder: Path, log: Path) -> Process:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**_environment(), "TMPDIR": str(folder)},
        )
    finally:
        os.close(output)


async def _arguments(binary: str, data: Path, ports: list[int]) -> list[str]:
    modern = await _version(binary) >= _GRPC_TLS
    words = ["-server", "-bootstrap", f"-data-dir={data}", f"-node={data.parent.name}", "-disable-host-node-id"]
    words += ["-bind=127.0.0.1", "-client=127.0.0.1", "-dns-port=-1", "-grpc-port=-1", "-serf-wan-port=-1"]
    words += [f"-{name}-port={port}" for name, port in zip(_PORTS, ports, strict=True)]
    words += ["-grpc-tls-port=-1"] if modern else []
    return [*words, "-hcl", _QUIET + (_ALONE if modern else "")]


async def _version(binary: str) -> tuple[int, int]:
    asked = await asyncio.create_subprocess_exec(
        binary, "version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=_environment()
    )
    said, _ = await asked.communicate()
    found = re.search(rb"v(\d+)\.(\d+)", said)
    if found is None:
        raise SnapshotError("the consul on PATH does not tell its version", where=binary)
    return int(found[1]), int(found[2])


def _environment() -> dict[str, str]:
    """Keep what points to the cluster, and every token, from the agent."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CONSUL_", "SYNCD_"))}


def _free_ports(number: int) -> list[int]:
    tries = random.SystemRandom().sample(range(_FIRST, _LAST), 500)
    found = [port for port in tries if _is_free(port)][:number]
    if len(found) < number:
        raise SnapshotError("there are no free ports for a scratch Consul", hint="try again")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
