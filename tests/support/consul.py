"""Real Consul agents for tests: started on free ports, killed with the test run.

The fixtures ``consul`` (one dev agent for each worker of the test run) and ``prefix`` (a key prefix of the test's
own in it) are in ``tests/conftest.py``. A test that kills, freezes or restarts starts its own::

    def test_restart(tmp_path: Path) -> None:
        with start_agent(data_dir=tmp_path / "consul") as agent:
            agent.put("a", b"1")
            agent.kill()
            agent.restart()
            assert agent.get("a") == b"1"

    with start_agent(acl=True) as agent:             # agent.token may do everything
        token = agent.make_token('key_prefix "app/" { policy = "write" }')
        agent.revoke(token)

    with three_servers(tmp_path) as servers:
        leader_of(servers).freeze()

The calls here are blocking and go straight to the agent: use them to arrange and to assert. Start agents on the main
thread (where fixtures and tests run): the kernel kills an agent when the thread that started it ends.
"""

import atexit
import base64
import fcntl
import functools
import http.client
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self, TextIO
from urllib.parse import quote

import pytest

from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
PORTS_EACH: Final = 4  # HTTP, server, serf LAN, serf WAN
# PR_SET_PDEATHSIG is 1; it outlives exec. (A preexec_fn would do, but warns in a process with threads.)
DIE_WITH_PARENT: Final = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); os.execv(sys.argv[1], sys.argv[1:])"
)
_FIRST, _LAST = 11_000, 32_000  # below the kernel's ephemeral ports, which outgoing connections take at any moment
_serial = itertools.count(1)


class NotReady(Exception):
    """The agent ended, or there is no room for it; holds the end of its log."""


class Ports:
    """A block of free ports, kept from other test processes by a lock file until closed."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"syncd-test-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        self._lock: TextIO | None = None
        starts = range(_FIRST, _LAST, PORTS_EACH)
        for start in random.SystemRandom().sample(starts, 200):
            lock = (folder / str(start)).open("w")
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if all(_is_free(start + offset) for offset in range(PORTS_EACH)):
                    self.start, self._lock = start, lock
                    return
            lock.close()
        raise NotReady("no free ports")

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Name a port below the ephemeral ones that is free now (for a test's own server, which may retry)."""
    return next(port for port in random.SystemRandom().sample(range(_FIRST, _LAST), 200) if _is_free(port))


@functools.cache
def consul_binary() -> str:
    """Name a Consul binary; without one skip the test, or fail it under CI."""
    found = subprocess.run([ROOT / "tools/consul"], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    if os.environ.get("CI"):
        pytest.fail(f"no Consul binary: {found.stderr}", pytrace=False)
    pytest.skip(f"no Consul binary: {found.stderr.strip().splitlines()[-2:]}")


@functools.cache
def consul_version() -> tuple[int, int, int]:
    """Tell the binary's version, for the few behaviours that differ."""
    said = subprocess.run([consul_binary(), "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", said)
    assert found, said
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


class ConsulAgent:
    """One agent process. ``address`` is ``http://127.0.0.1:PORT``; ``token`` may do everything (ACLs only)."""

    def __init__(self, arguments: Sequence[str], ports: Ports, folder: Path, *, name: str) -> None:
        self.port = ports.start
        self.host = f"127.0.0.1:{self.port}"
        self.address = f"http://{self.host}"
        self.raft_address = f"127.0.0.1:{self.port + 1}"
        self.serf_address = f"127.0.0.1:{self.port + 2}"
        self.name = name
        self.token: str | None = None
        self.log = folder / f"{name}.log"
        self._arguments = [sys.executable, "-ISc", DIE_WITH_PARENT, consul_binary(), "agent", *arguments]
        self._ports = ports
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the process

    def launch(self) -> None:
        """Start the process; does not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._arguments, stdout=log, stderr=subprocess.STDOUT, env=_clean())
        atexit.register(self.kill)

    def restart(self) -> None:
        """Start again after ``kill`` or ``stop``, on the same ports and data."""
        assert self.process.poll() is not None, "still running"
        self.launch()
        self.wait_ready()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it in mid-air: its connections stay open, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        self._ports.close()

    def _end(self, number: signal.Signals) -> None:
        atexit.unregister(self.kill)
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(timeout=30)

    def wait_ready(self) -> None:
        """Wait until the agent serves reads and writes of keys, which is after it has a leader."""
        wait_until(self._serves, f"{self.name} serves", self.log_tail)

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            raise NotReady(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            status, _, body = self.request("GET", "/v1/status/leader")
            if status != 200 or json.loads(body) == "":
                return False
            return self.request("GET", "/v1/kv/ready?consistent", timeout=5)[0] in (200, 403, 404)
        except (OSError, http.client.HTTPException):
            return False

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    # -- its API

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = None,
        timeout: float = 30,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own; answers status, headers (lower case), body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        secret = token or self.token
        try:
            connection.request(method, path, body, {"X-Consul-Token": secret} if secret else {})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Send JSON (if any) and return the answer's; an AssertionError where it is not 200."""
        text = None if body is None else json.dumps(body).encode()
        status, _, answer = self.request(method, path, text)
        assert status == 200, (method, path, status, answer)
        return json.loads(answer)

    def put(self, key: str, value: bytes | str, *, flags: int | None = None) -> None:
        """Write a key (its full name), as a stranger would: without ``flags`` they become 0."""
        query = "" if flags is None else f"?flags={flags}"
        body = value.encode() if isinstance(value, str) else value
        assert self.request("PUT", f"/v1/kv/{quote(key)}{query}", body)[2].strip() == b"true"

    def entry(self, key: str) -> dict[str, Any] | None:
        """Read a key (its full name) as Consul tells it, but ``Value`` as bytes; None if there is none."""
        status, _, body = self.request("GET", f"/v1/kv/{quote(key)}?consistent")
        if status == 404:
            return None
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)[0]
        found["Value"] = base64.b64decode(found["Value"] or "")
        return found

    def get(self, key: str) -> bytes | None:
        """Read a key's value; None if there is no such key."""
        found = self.entry(key)
        return None if found is None else found["Value"]

    def tree(self, prefix: str = "") -> dict[str, bytes]:
        """Read every key that begins with ``prefix``, by its full name."""
        status, _, body = self.request("GET", f"/v1/kv/{quote(prefix)}?recurse&consistent")
        if status == 404:
            return {}
        assert status == 200, body
        return {each["Key"]: base64.b64decode(each["Value"] or "") for each in json.loads(body)}

    def delete(self, key: str) -> None:
        assert self.request("DELETE", f"/v1/kv/{quote(key)}")[0] == 200

    def delete_tree(self, prefix: str) -> None:
        assert self.request("DELETE", f"/v1/kv/{quote(prefix)}?recurse")[0] == 200

    # -- ACLs

    def make_token(self, rules: str) -> str:
        """Make a policy of these rules and a token that has it; returns the secret."""
        policy = self.json("PUT", "/v1/acl/policy", {"Name": f"test-{next(_serial)}", "Rules": rules})
        made = self.json("PUT", "/v1/acl/token", {"Policies": [{"ID": policy["ID"]}]})
        return str(made["SecretID"])

    def narrow(self, token: str, rules: str) -> None:
        """Change the rules of a token made by ``make_token``."""
        policy = self.json("GET", f"/v1/acl/token/{self._accessor(token)}")["Policies"][0]
        self.json("PUT", f"/v1/acl/policy/{policy['ID']}", {"Name": policy["Name"], "Rules": rules})

    def revoke(self, token: str) -> None:
        self.json("DELETE", f"/v1/acl/token/{self._accessor(token)}")

    def _accessor(self, token: str) -> str:
        status, _, body = self.request("GET", "/v1/acl/token/self", token=token)
        assert status == 200, body
        return str(json.loads(body)["AccessorID"])

    # -- sessions

    def make_session(self, **fields: object) -> str:
        """Make a session without checks; returns its id."""
        return str(self.json("PUT", "/v1/session/create", {"Checks": [], "LockDelay": "0s", **fields})["ID"])

    def destroy_session(self, session: str) -> None:
        self.json("PUT", f"/v1/session/destroy/{session}")


@contextmanager
def start_agent(
    *, data_dir: Path | None = None, acl: bool = False, hcl: str = "", arguments: Sequence[str] = ()
) -> Iterator[ConsulAgent]:
    """Start one agent and wait until it serves: in memory (``-dev``), or on disk with ``data_dir``.

    ``hcl`` is further configuration, ``arguments`` further flags of ``consul agent``.
    """
    with ExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncd-consul-")))
        folder.mkdir(parents=True, exist_ok=True)
        mode = ["-dev"] if data_dir is None else ["-server", "-bootstrap", "-data-dir", str(folder)]
        settings = [mode, _hcl(hcl), _hcl(ACL) if acl else [], arguments]
        agent = stack.enter_context(_launch(list(itertools.chain(*settings)), folder))
        if acl:
            agent.token = _bootstrap(agent)
        yield agent


ACL: Final = 'acl { enabled = true default_policy = "deny" }'


def _bootstrap(agent: ConsulAgent) -> str:
    found: list[str] = []

    def done() -> bool:
        status, _, body = agent.request("PUT", "/v1/acl/bootstrap")
        found.extend([json.loads(body)["SecretID"]] if status == 200 else [])
        return bool(found)

    wait_until(done, "ACLs are bootstrapped", agent.log_tail)
    return found[0]


@contextmanager
def three_servers(folder: Path, *, hcl: str = "") -> Iterator[list[ConsulAgent]]:
    """Start a cluster of three disk-backed servers below ``folder`` and wait until all of them serve."""
    with ExitStack() as stack:
        servers: list[ConsulAgent] = []
        for number in range(3):
            data = folder / f"server{number}"
            data.mkdir(parents=True, exist_ok=True)
            join = [f"-retry-join={server.serf_address}" for server in servers]
            mode = ["-server", "-bootstrap-expect", "3", "-retry-interval", "1s", "-data-dir", str(data)]
            servers.append(stack.enter_context(_launch([*mode, *join, *_hcl(hcl)], data, wait=False)))
        for server in servers:
            server.wait_ready()
        yield servers


def leader_of(servers: Sequence[ConsulAgent]) -> ConsulAgent:
    """Find the server that leads, as one of these says; waits for an election among them to end."""
    found: list[ConsulAgent] = []

    def known() -> bool:
        for server in servers:
            with suppress(OSError, http.client.HTTPException):
                _, _, said = server.request("GET", "/v1/status/leader", timeout=2)
                found.extend(each for each in servers if said.strip() == f'"{each.raft_address}"'.encode())
        return bool(found)

    wait_until(known, "a server names one of these as leader")
    return found[0]


def _hcl(text: str) -> list[str]:
    return ["-hcl", text] if text else []


@contextmanager
def _launch(arguments: Sequence[str], folder: Path, *, wait: bool = True) -> Iterator[ConsulAgent]:
    # Somebody outside may have taken a port between the look and the bind: the agent then ends at once.
    for last in (False, False, True):
        agent = _agent(arguments, folder)
        with agent:
            agent.launch()
            try:
                agent.wait_ready() if wait else _settle(agent)
            except (NotReady, AssertionError):
                if last or "address already in use" not in agent.log_tail():
                    raise
                continue
            yield agent
            return


def _settle(agent: ConsulAgent) -> None:
    """Wait until the agent answers at all, which is after its ports are bound."""

    def answers() -> bool:
        if agent.process.poll() is not None:
            raise NotReady(agent.log_tail())
        with suppress(OSError, http.client.HTTPException):
            agent.request("GET", "/v1/status/leader")
            return True
        return False

    wait_until(answers, f"{agent.name} answers", agent.log_tail)


def _agent(arguments: Sequence[str], folder: Path) -> ConsulAgent:
    ports = Ports()
    name = f"test-{os.getpid()}-{next(_serial)}"
    start = ports.start
    common = ["-node", name, "-bind", "127.0.0.1", "-client", "127.0.0.1", "-disable-host-node-id"]
    common += ["-http-port", str(start), "-server-port", str(start + 1)]
    common += [
        "-serf-lan-port",
        str(start + 2),
        "-serf-wan-port",
        str(start + 3),
        "-dns-port",
        "-1",
        "-grpc-port",
        "-1",
    ]
    if consul_version() >= (1, 14, 0):
        common.append("-grpc-tls-port=-1")
    common += _hcl("disable_update_check = true performance { raft_multiplier = 1 }")
    return ConsulAgent([*common, *arguments], ports, folder, name=name)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CONSUL_")}
