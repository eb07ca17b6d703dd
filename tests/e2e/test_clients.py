"""What services read: the keys as they stand in git, by the clients that they use."""

import threading
from dataclasses import replace
from urllib.parse import urlsplit

import consul
import pytest

from tests.support.machine import Kv, Machine


@pytest.fixture
def seed(machine: Machine) -> Machine:
    """A machine whose keys stand where the seed's sample looks for them."""
    seed = replace(machine, kv=Kv(machine.kv.address, "config"))
    seed.kv.clear()
    return seed


def test_the_seeds_python_sample_reads_its_keys_verbatim(seed: Machine) -> None:
    with seed.run() as daemon:
        daemon.wait_for_output("info    applied")
        place = urlsplit(seed.kv.address)
        c = consul.Consul(host=place.hostname, port=place.port)
        _, data = c.kv.get("config/brain/temperature")
        assert data["Value"].decode("utf-8") == "0.7"
        index, data = c.kv.get("config/brain/model", index=None)
        assert data["Value"].decode("utf-8") == "qwen2.5:3b"

        changed: list[str] = []

        def watch() -> None:
            _, data = c.kv.get("config/brain/model", index=index)
            changed.append(data["Value"].decode("utf-8"))

        watching = threading.Thread(target=watch)
        watching.start()
        seed.repository.commit({"brain.yaml": "model: llama3.2:3b\n"})
        watching.join(60)
        assert changed == ["llama3.2:3b"]
