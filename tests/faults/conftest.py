"""A scene for every test."""

from pathlib import Path

import pytest

from tests.support.consul import ConsulAgent
from tests.support.live import Live
from tests.support.repository import seed_repository
from tests.support.scene import Scene


@pytest.fixture
def scene(consul: ConsulAgent, prefix: str, tmp_path: Path) -> Scene:
    """The seed's repository and an empty prefix."""
    return Scene(seed_repository(tmp_path / "repository"), Live(consul, prefix), tmp_path / "state")
