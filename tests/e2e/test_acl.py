"""A Consul with ACLs: a token that is too weak changes nothing and says what it lacks."""

import uuid
from collections.abc import Iterator

import pytest

from tests.support.consul import ConsulAgent, start_agent
from tests.support.machine import Kv, Machine

READ = 'key_prefix "{0}" {{ policy = "read" }} session_prefix "" {{ policy = "write" }}'
WRITE = 'key_prefix "{0}" {{ policy = "write" }} session_prefix "" {{ policy = "write" }}'


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulAgent]:
    with start_agent(acl=True) as agent:
        yield agent


@pytest.fixture
def machine(local: Machine, guarded: ConsulAgent) -> Machine:
    return Machine(local.repository, local.home, Kv(guarded.address, f"test/{uuid.uuid4().hex[:12]}"))


def token(guarded: ConsulAgent, rules: str, machine: Machine) -> str:
    return guarded.make_token(rules.format(f"{machine.kv.prefix}/"))


@pytest.mark.consul
def test_promise_5_a_token_that_may_only_read_plans_nothing(machine: Machine, guarded: ConsulAgent) -> None:
    weak = token(guarded, READ, machine)
    for words in (("plan",), ("apply", "--yes"), ("import",)):
        told = machine.cli(*words, check=1, CONSUL_HTTP_TOKEN=weak).stderr
        assert "the token may not write" in told
        assert weak not in told
    assert "the token may not write" in machine.cli("status", check=1, CONSUL_HTTP_TOKEN=weak).stdout
    with machine.run(CONSUL_HTTP_TOKEN=weak) as daemon:
        daemon.wait_for_output("the token may not write")
        assert daemon.stop() == 0


@pytest.mark.consul
def test_a_token_for_the_prefix_and_for_sessions_is_enough(machine: Machine, guarded: ConsulAgent) -> None:
    enough = token(guarded, WRITE, machine)
    with machine.run(CONSUL_HTTP_TOKEN=enough) as daemon:
        daemon.wait_for_output("info    applied")
        assert enough not in daemon.output
    assert guarded.get(f"{machine.kv.prefix}/brain/model") == b"qwen2.5:3b"
    assert "the tip is applied" in machine.cli("status", CONSUL_HTTP_TOKEN=enough).stdout


@pytest.mark.consul
def test_no_token_at_all_is_refused(machine: Machine) -> None:
    assert machine.cli("plan", check=1).stderr.startswith("error: the token")
