"""The real ``syncd`` on real repositories: on a real Consul and on the embedded store alike."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import Kv, Machine
from tests.support.process import running
from tests.support.repository import Repository, seed_repository


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded store for all tests: its address."""
    folder = tmp_path_factory.mktemp("embedded")
    with running("store", "serve", "--port", "0", "--data", str(folder / "store.db"), cwd=folder, home=folder) as store:
        store.wait_for_output("address=")
        found = re.search(r"address=(\S+)", store.output)
        assert found
        yield found[1]


@pytest.fixture(params=[pytest.param("consul", marks=pytest.mark.consul), "embedded"])
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a store answers. Coverage counts what commands do on one of the two: it is the same on the other."""
    if request.param == "embedded":
        found: str = request.getfixturevalue("embedded")
        return found
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    address: str = request.getfixturevalue("consul").address
    return address


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with the seed's keys."""
    return seed_repository(tmp_path / "repository")


@pytest.fixture
def machine(repository: Repository, tmp_path: Path, address: str) -> Machine:
    """A machine with that repository and a prefix of its own, on either store."""
    return _machine(repository, tmp_path, address)


@pytest.fixture
def local(repository: Repository, tmp_path: Path, embedded: str) -> Machine:
    """The same for what does not depend on the store: on the embedded one."""
    return _machine(repository, tmp_path, embedded)


def _machine(repository: Repository, folder: Path, address: str) -> Machine:
    home = folder / "home"
    home.mkdir()
    return Machine(repository, home, Kv(address, f"test/{uuid.uuid4().hex[:12]}"))
