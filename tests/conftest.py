"""Fixtures for every test: a real Consul and a key prefix of the test's own in it."""

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.support.consul import ConsulAgent, start_agent

# A slow or busy machine is no fault of the code: speed is measured in bench/.
# Generating is slowest in a fresh clone, where hypothesis has none of its tables yet.
settings.register_profile("syncd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("syncd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "consul" in getattr(item, "fixturenames", ()):
            item.add_marker("consul")
        # What generated input reaches is luck, and to trace it takes long: coverage counts what examples show.
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def consul() -> Iterator[ConsulAgent]:
    """One dev agent for this worker of the test run; keep to your ``prefix`` in it."""
    with start_agent() as agent:
        yield agent


@pytest.fixture
def prefix(consul: ConsulAgent) -> Iterator[str]:
    """A key prefix that nobody else uses, emptied afterwards."""
    name = f"test/{uuid.uuid4().hex[:12]}"
    yield name
    consul.delete_tree(f"{name}/")
