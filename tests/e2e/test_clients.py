"""What services read: the keys as they stand in git, by the clients that they use."""

import threading
from urllib.parse import urlsplit

import consul

from tests.support.machine import Machine


def test_the_seeds_python_sample_reads_its_keys_verbatim(machine: Machine) -> None:
    prefix = machine.kv.prefix
    with machine.run() as daemon:
        daemon.wait_for_output("info    applied")
        place = urlsplit(machine.kv.address)
        client = consul.Consul(host=place.hostname, port=place.port)
        index, data = client.kv.get(f"{prefix}/brain/model")
        assert data["Value"].decode() == "qwen2.5:3b"
        assert client.kv.get(f"{prefix}/brain/temperature")[1]["Value"] == b"0.7"
        found = []
        waiting = threading.Thread(
            target=lambda: found.append(client.kv.get(f"{prefix}/brain/model", index=index, wait="60s"))
        )
        waiting.start()
        machine.repository.commit({"brain.yaml": "model: llama3.2:3b\n"})
        waiting.join(60)
        (_, data) = found[0]
        assert data["Value"].decode() == "llama3.2:3b"
