"""``syncd run --embedded`` and ``syncd store serve``: no Consul needed, and every Consul client finds its keys."""

import re
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.consul import consul_binary, free_port
from tests.support.machine import Kv
from tests.support.process import Process, running, syncd
from tests.support.repository import Repository


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home."""
    home = tmp_path / "home"
    home.mkdir()
    return home


def embedded_run(repository: Repository, home: Path, port: int) -> AbstractContextManager[Process]:
    """Run with a Consul named that does not exist: it must not matter."""
    words = ("run", "--embedded", "--embedded-port", str(port))
    elsewhere = {"CONSUL_HTTP_ADDR": "127.0.0.1:1", "CONSUL_HTTP_TOKEN": "none"}
    return running(*words, cwd=repository.folder, home=home, **elsewhere)


def test_a_fresh_repository_is_served_and_a_commit_follows(repository: Repository, home: Path) -> None:
    port = free_port()
    kv = Kv(f"http://127.0.0.1:{port}", "config/mordomo")
    with embedded_run(repository, home, port) as daemon:
        daemon.wait_for_output("info    applied")
        assert f"curl -s 'http://127.0.0.1:{port}/v1/kv/config/mordomo/?keys'" in daemon.output
        assert f"syncd's embedded store at http://127.0.0.1:{port}" in daemon.output
        assert kv.get("brain/model") == b"qwen2.5:3b"
        repository.commit({"brain.yaml": "model: llama3.2:3b\n"})
        daemon.wait_for(lambda: kv.get("brain/model") == b"llama3.2:3b")
        assert daemon.stop() == 0
    with embedded_run(repository, home, port) as again:
        again.wait_for_output("info    in sync")
        assert kv.get("brain/model") == b"llama3.2:3b"


def test_a_port_that_is_taken_is_named_with_what_answers_there_and_the_way_out(
    repository: Repository, home: Path, embedded: str
) -> None:
    port = embedded.rpartition(":")[2]
    words = ("run", "--embedded", "--embedded-port", port)
    told = syncd(*words, cwd=repository.folder, home=home, check=1).stderr
    assert "error: the port is taken by another syncd" in told
    assert "make run PORT=" in told


def test_the_kv_commands_of_consul_read_what_was_applied(repository: Repository, home: Path) -> None:
    with embedded_run(repository, home, 0) as daemon:
        daemon.wait_for_output("info    applied")
        found = re.search(r"address=(\S+)", daemon.output)
        assert found

        def kv(*words: str) -> str:
            command = [consul_binary(), "kv", words[0], f"-http-addr={found[1]}", *words[1:]]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        assert kv("get", "config/mordomo/brain/model") == "qwen2.5:3b\n"
        assert "config/mordomo/tts/voice:pt_BR-faber-medium\n" in kv("get", "-recurse", "config/mordomo/")
        export = kv("export", "config/mordomo/brain/")
    rendered = syncd("render", "--output", "consul-export", cwd=repository.folder, home=home).stdout
    assert export.strip("[]\n\t ") in rendered
