"""Generated calls against a running daemon: whatever is sent, the answer is one that the OpenAPI document describes."""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from syncd.web.openapi import describe
from syncd.web.routes import ROUTES
from tests.support.machine import Kv, Machine
from tests.support.repository import seed_repository

TOKEN: Final = "a-token-of-the-tests-own"
DOCUMENT: Final = msgspec.json.decode(msgspec.json.encode(describe(ROUTES)))
EVERY: Final[Any] = schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
OPERATIONS: Final = [each.ok() for each in EVERY if each.ok().path != "/api/v1/events"]  # which never ends


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, embedded: str) -> Iterator[str]:
    """A daemon that knows one token: where it answers."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "home").mkdir()
    tokens = folder / "tokens"
    tokens.write_text(f"test admin sha256:{sha256(TOKEN.encode()).hexdigest()}\n")
    machine = Machine(seed_repository(folder / "repository"), folder / "home", Kv(embedded, "generated"))
    with machine.run(SYNCD_HTTP_TOKENS_FILE=str(tokens)) as daemon:
        daemon.wait_for_output("applied")
        daemon.wait_for(lambda: machine.api.get("/readyz").status == 200)
        found = re.search(r"answering .*address=(http://\S+)", daemon.output)
        assert found
        yield found[1]
        assert "an HTTP call failed" not in daemon.output
        assert daemon.process.poll() is None


def can_be_wrong(operation: Any) -> bool:
    return bool(operation.definition.raw["parameters"]) or "requestBody" in operation.definition.raw


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(each, GenerationMode.POSITIVE) for each in OPERATIONS]
    + [(each, GenerationMode.NEGATIVE) for each in OPERATIONS if can_be_wrong(each)],
    ids=lambda found: getattr(found, "label", None) or found.value,
)
def test_every_answer_is_one_that_the_document_describes(base: str, operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        both = operation.path.endswith("/replay")  # since and event together, which a schema of one type cannot forbid
        left = [positive_data_acceptance] if both else []
        headers = {"Authorization": f"Bearer {TOKEN}"}
        case.call_and_validate(base_url=base, headers=headers, excluded_checks=left)

    call()
