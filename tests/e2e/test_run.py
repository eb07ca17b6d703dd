"""``syncd run`` follows a branch, on either store."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.support.machine import Machine
from tests.support.repository import Repository
from tests.support.waiting import wait_until

MANY = {"many.yaml": "".join(f"key{number}: {number}\n" for number in range(20))}


def test_a_commit_is_in_the_store_and_the_log_says_what_changed(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        assert f"following  branch=main repository={machine.repository.folder} path=config/mordomo" in daemon.output
        assert machine.kv.tree() == {
            "brain/model": b"qwen2.5:3b",
            "brain/temperature": b"0.7",
            "tts/voice": b"pt_BR-faber-medium",
            "wake_word/sensitivity": b"0.7",
        }
        commit = machine.repository.commit({"brain.yaml": "model: llama3.2:3b\n"}, "Try another model")
        daemon.wait_for_output("'Try another model'")
        assert machine.kv.tree()["brain/model"] == b"llama3.2:3b"
        assert "brain/temperature" not in machine.kv.tree()
        assert "updated  key=brain/model old=qwen2.5:3b new=llama3.2:3b at=config/mordomo/brain.yaml:1" in daemon.output
        assert "deleted  key=brain/temperature old=0.7" in daemon.output
        assert machine.kv.own("revision")["applied"]["commit"] == commit


def test_an_edit_that_is_not_committed_is_named_and_not_applied(local: Machine) -> None:
    with local.run() as daemon:
        daemon.wait_for_output("applied")
        local.repository.write({"brain.yaml": "model: other\n"})
        daemon.wait_for_output("uncommitted edits are not applied  files=config/mordomo/brain.yaml")
        assert "brain.yaml: not committed" in local.cli("status").stdout
        assert local.kv.get("brain/model") == b"qwen2.5:3b"


def test_the_work_tree_is_followed_if_asked(local: Machine) -> None:
    with local.run("--worktree") as daemon:
        daemon.wait_for_output("applied")
        local.repository.write({"brain.yaml": "model: other\n"})
        daemon.wait_for(lambda: local.kv.get("brain/model") == b"other")
        assert local.kv.own("revision")["applied"]["worktree"] is True


def test_promise_4_an_invalid_commit_changes_nothing_and_is_told_by_its_place(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.repository.commit({"brain.yaml": "model: x\nmodel: y\n", "new.yaml": "a: b\n"})
        daemon.wait_for_output("the commit is invalid and changes nothing")
        assert "at=config/mordomo/brain.yaml:2:1" in daemon.output
        assert "brain.yaml:2:1" in machine.cli("status").stdout
        assert machine.kv.get("brain/model") == b"qwen2.5:3b"
        assert machine.kv.get("new/a") is None
        machine.repository.commit({"brain.yaml": "model: y\n"})
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"y")
        assert machine.kv.get("new/a") == b"b"


def test_the_daemon_waits_for_a_first_valid_commit(local: Machine) -> None:
    local.repository.commit({"brain.yaml": "["})
    with local.run() as daemon:
        daemon.wait_for_output("the commit is invalid and changes nothing")
        local.repository.commit({"brain.yaml": "model: y\n"})
        daemon.wait_for(lambda: local.kv.get("brain/model") == b"y")


def test_a_file_that_goes_takes_its_keys_along(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.kv.put("foreign", b"stays")
        machine.repository.commit({"tts.yaml": None})
        daemon.wait_for(lambda: machine.kv.get("tts/voice") is None)
        assert machine.kv.get("foreign") == b"stays"


def test_promise_6_a_mass_delete_waits_until_it_is_approved(machine: Machine) -> None:
    machine.repository.commit(MANY)
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        machine.repository.commit({"many.yaml": None}, "Drop many")
        daemon.wait_for_output("guard=mass-delete")
        assert "many/key0" in machine.kv.tree()
        plan = machine.json("plan", "--detailed-exitcode", check=3)
        assert f"--approve {plan['hash']}" in daemon.output
        assert "leads and has the approval now" in machine.cli("apply", "--approve", plan["hash"]).stderr
        assert "many/key0" not in machine.kv.tree()
        daemon.wait_for_output("message='Drop many'")


def test_promise_6_a_first_contact_with_foreign_values_waits_until_it_is_approved(machine: Machine) -> None:
    machine.kv.put("brain/model", b"by hand")
    with machine.run() as daemon:
        daemon.wait_for_output("guard=first-contact")
        assert machine.kv.get("brain/model") == b"by hand"
        assert machine.kv.get("tts/voice") is None
        machine.cli("apply", "--approve", machine.json("plan")["hash"])
        assert machine.kv.get("brain/model") == b"qwen2.5:3b"
        assert "took over  key=brain/model old='by hand' new=qwen2.5:3b" in daemon.output


def test_a_deleted_branch_changes_nothing_and_may_come_back(local: Machine) -> None:
    repository = local.repository
    with local.run() as daemon:
        daemon.wait_for_output("applied")
        repository.git("checkout", "-q", "-b", "aside")
        repository.git("branch", "-q", "-D", "main")
        daemon.wait_for_output("main")
        daemon.wait_for(lambda: "error" in daemon.output)
        assert local.kv.get("brain/model") == b"qwen2.5:3b"
        repository.commit({"brain.yaml": "model: later\n"})
        repository.git("branch", "-q", "main")
        daemon.wait_for(lambda: local.kv.get("brain/model") == b"later")


def test_a_second_daemon_stands_by_and_takes_over_at_once(machine: Machine) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(machine.run(SYNCD_STORE_LEASE_TTL="1h"))
        first.wait_for_output("applied")
        second = stack.enter_context(machine.other("second").run(SYNCD_STORE_LEASE_TTL="1h"))
        second.wait_for_output("standing by")
        assert first.stop() == 0
        machine.repository.commit({"brain.yaml": "model: second\n"})
        second.wait_for(lambda: machine.kv.get("brain/model") == b"second")


def test_promise_13_sigterm_ends_in_order_and_frees_the_lease(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("applied")
        assert machine.kv.held()
        assert daemon.stop() == 0
        assert not machine.kv.held()


def test_a_killed_daemon_goes_on_without_waiting_for_its_own_lease(machine: Machine) -> None:
    with machine.run(SYNCD_STORE_LEASE_TTL="1h") as daemon:
        daemon.wait_for_output("applied")
        daemon.kill()
        assert machine.kv.held()
    machine.repository.commit({"brain.yaml": "model: again\n"})
    with machine.run(SYNCD_STORE_LEASE_TTL="1h") as daemon:
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"again")


def test_what_is_applied_already_is_not_written_again(machine: Machine) -> None:
    machine.cli("apply", "--yes")
    before = machine.kv.entry(".syncd/revision")
    with machine.run() as daemon:
        daemon.wait_for_output("info    in sync")
        assert "info    applied" not in daemon.output
    assert machine.kv.entry(".syncd/revision") == before


def test_promise_10_paused_means_no_writes(machine: Machine) -> None:
    machine.cli("apply", "--yes")
    machine.kv.put(".syncd/control", b'{"format":1,"pause":{"author":"Ana","since":0,"reason":"a demo"}}')
    with machine.run() as daemon:
        daemon.wait_for_output("paused")
        machine.repository.commit({"brain.yaml": "model: y\n"})
        refused = machine.cli("apply", "--yes", check=3)
        assert "paused by Ana" in refused.stderr
        assert "a demo" in refused.stderr
        machine.kv.put(".syncd/control", b'{"format":1}')
        daemon.wait_for(lambda: machine.kv.get("brain/model") == b"y")


def test_a_store_that_is_away_at_the_start_is_waited_for(local: Machine) -> None:
    with local.run("--address", "127.0.0.1:1") as daemon:
        daemon.wait_for_output("nothing answers")
        wait_until(lambda: "does not answer yet" in daemon.output, "no word on the store")
        assert daemon.stop() == 0


def test_promise_3_a_node_whose_clone_is_behind_leaves_the_store_to_others(local: Machine, tmp_path: Path) -> None:
    local.repository.commit({"brain.yaml": "model: newer\n"})
    local.cli("apply", "--yes")
    local.repository.git("clone", "-q", str(local.repository.folder), str(tmp_path / "clone"))
    clone = replace(local.other("behind"), repository=Repository(tmp_path / "clone"))
    clone.repository.git("reset", "-q", "--hard", "HEAD~1")
    with clone.run() as behind:
        behind.wait_for_output("guard=behind")
        local.repository.commit({"brain.yaml": "model: newest\n"})
        local.cli("apply", "--yes")
        assert local.kv.get("brain/model") == b"newest"
        clone.repository.git("pull", "-q")
        behind.wait_for_output("info    in sync")
        clone.repository.commit({"brain.yaml": "model: from the clone\n"})
        behind.wait_for(lambda: local.kv.get("brain/model") == b"from the clone")
