"""The embedded store as a process of its own, driven as an agent of Consul is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.consul import DIE_WITH_PARENT, ConsulAgent, Ports


class EmbeddedAgent(ConsulAgent):
    """``syncd store serve``; it knows no ACLs."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        super().__init__([], ports, folder, name="embedded")
        words = ["store", "serve", "--port", str(self.port), "--data", str(folder / "store.db")]
        self._arguments = [sys.executable, "-ISc", DIE_WITH_PARENT, sys.executable, "-m", "syncd", *words]


@contextmanager
def start_embedded(folder: Path) -> Iterator[EmbeddedAgent]:
    """Start one and wait until it serves."""
    with EmbeddedAgent(Ports(), folder) as agent:
        agent.launch()
        agent.wait_ready()
        yield agent
