"""An apply that is interrupted."""

import signal

from tests.support.machine import Kv, Machine
from tests.support.process import running
from tests.support.proxy import Gate, drop_reply, held, proxy_to, request_to

LARGE = {"large.yaml": "".join(f"key{number}: {number}\n" for number in range(1000))}


def test_ctrl_c_frees_the_lease_and_the_next_apply_finishes_what_was_begun(local: Machine) -> None:
    local.repository.commit(LARGE)
    words = ("apply", "--yes", "--prefix", local.kv.prefix)
    with proxy_to(local.kv.address) as proxy:
        gate = Gate()
        proxy.when(request_to("PUT", "/v1/txn"), held(gate), skip=3)
        with running(*words, "--address", proxy.address, cwd=local.repository.folder, home=local.home) as apply:
            gate.wait_arrived()
            apply.process.send_signal(signal.SIGINT)
            assert apply.process.wait(timeout=20) == 130
            assert "what was begun is finished by the next apply" in apply.output
        assert not local.kv.held()
        assert local.kv.own("revision")["applying"]
        gate.release()
    assert "whoever leads finishes it first" in local.cli("status").stdout
    assert "was begun and is not whole yet" in local.cli("plan").stdout
    local.cli("apply", "--yes")
    assert len(local.kv.tree()) == 1004
    assert not local.kv.own("revision").get("applying")


def test_a_lost_answer_is_resolved_and_everything_lands_once(local: Machine) -> None:
    local.repository.commit(LARGE)
    with proxy_to(local.kv.address) as proxy:
        through = Machine(local.repository, local.home, Kv(proxy.address, local.kv.prefix))
        proxy.when(request_to("PUT", "/v1/txn"), drop_reply, skip=2)
        through.cli("apply", "--yes")
    assert len(local.kv.tree()) == 1004
    assert "No changes" in local.cli("plan").stdout
