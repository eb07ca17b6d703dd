"""Services that ask for changes by their meta, told over real HTTP by the real daemon."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.consul import ConsulAgent
from tests.support.machine import Machine
from tests.support.receiver import Got, receiver
from tests.support.services import Services, asks
from tests.support.waiting import until

SECRET = base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


@pytest.fixture
def services(consul: ConsulAgent) -> Iterator[Services]:
    made = Services(consul)
    yield made
    made.close()


def data(got: Got) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(got.body)["data"]
    return found


def signature(got: Got) -> str:
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    return "v1," + base64.b64encode(hmac.digest(base64.b64decode(SECRET), signed, hashlib.sha256)).decode()


@pytest.mark.parametrize("address", [pytest.param("consul", marks=pytest.mark.consul)], indirect=True)
async def test_a_service_of_the_catalog_is_told_of_a_commit_at_its_registered_address(
    services: Services, machine: Machine, tmp_path: Path
) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text(f"whsec_{SECRET}\n")
    async with receiver() as trusted, receiver() as other:
        name = services.register(meta=asks("brain/", "/config-changed?v=1"), port=trusted.port)
        services.register(meta=asks("brain/"), port=other.port, address="")
        settings = {"SYNCD_CATALOG_SECRET_FILE": str(secret_file), "SYNCD_CATALOG_VALUES": f"{name}:brain/"}
        with machine.run(**settings):

            async def told(times: int) -> bool:
                return min(len(trusted.requests), len(other.requests)) >= times

            await until(lambda: told(1), "the state is told")
            commit = machine.repository.commit({"brain.yaml": "model: other\n"})
            await until(lambda: told(2), "the commit is told")
    state, change = trusted.requests
    assert (change.method, change.target) == ("POST", "/config-changed?v=1")
    assert change.headers["webhook-signature"] == signature(change)
    assert all(each["key"].startswith("brain/") for each in data(state)["changes"])
    assert data(change)["revision"]["commit"] == commit
    told_values = {each["key"]: each.get("new") for each in data(change)["changes"]}
    assert told_values["brain/model"] == "other"
    bare = data(other.requests[-1])["changes"]
    assert {each["key"] for each in bare} == told_values.keys()
    assert not any("new" in each or "old" in each for each in bare)
