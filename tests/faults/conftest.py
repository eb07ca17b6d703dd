"""A scene for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.consul import ConsulAgent
from tests.support.hook import Hook, hook
from tests.support.live import Live
from tests.support.repository import seed_repository
from tests.support.scene import Scene
from tests.support.teller import Teller


@pytest.fixture
def scene(consul: ConsulAgent, prefix: str, tmp_path: Path) -> Scene:
    """The seed's repository and an empty prefix."""
    return Scene(seed_repository(tmp_path / "repository"), Live(consul, prefix), tmp_path / "state")


@pytest.fixture
def there() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def teller(scene: Scene, there: Hook) -> Teller:
    """A node whose subscriber knows the first commit."""
    made = Teller(scene, there.port)
    made.begin(there)
    return made
