"""``syncd plan``, ``apply``, ``status``, ``explain`` and ``import``, on either store and without a daemon."""

import json
import stat
from pathlib import Path

from tests.support.machine import Machine
from tests.support.repository import SEED, TREE

MANY = {"many.yaml": "".join(f"key{number}: {number}\n" for number in range(20))}


def test_plan_shows_apply_does_and_status_tells(machine: Machine) -> None:
    assert machine.cli("plan", "--detailed-exitcode", check=2).stdout.endswith("\nPlan: 4 to create.\n")
    assert "+ create   brain/model  qwen2.5:3b  (config/mordomo/brain.yaml:1:1)\n" in machine.cli("plan").stdout
    assert "nothing yet" in machine.cli("status").stdout
    commit = machine.repository.git("rev-parse", "HEAD")[:7]
    assert f"Applied {commit}: 4 created.\n" in machine.cli("apply", "--yes").stdout
    assert machine.cli("plan", "--detailed-exitcode").stdout.endswith(f"\nNo changes. The store holds {commit}.\n")
    assert "the tip is applied" in machine.cli("status").stdout
    assert "nobody leads" in machine.cli("status").stdout


def test_promise_9_applying_twice_writes_nothing(machine: Machine) -> None:
    machine.cli("apply", "--yes")
    keys = [*machine.kv.tree(), ".syncd/revision"]
    before = [machine.kv.entry(key) for key in keys]
    assert "Nothing was written." in machine.cli("apply", "--yes").stdout
    assert [machine.kv.entry(key) for key in keys] == before


def test_every_kind_of_change_is_shown_with_old_and_new_value(local: Machine) -> None:
    local.repository.commit({"text.yaml": "poem: |\n  one\n  two\n  three\n", "old.yaml": "a: b\n"})
    local.cli("apply", "--yes")
    local.kv.put("brain/model", b"by hand")
    local.kv.put("wake_word/sensitivity", b"0.7")
    local.kv.delete("tts/voice")
    local.repository.commit({"text.yaml": "poem: |\n  one\n  zwei\n  three\n", "old.yaml": None})
    shown = local.cli("plan").stdout
    for line in (
        "~ update   brain/model  by hand → qwen2.5:3b  (config/mordomo/brain.yaml:1:1)",
        "* mark     wake_word/sensitivity  value is right, takes the mark  (config/mordomo/wake_word.yaml:1:1)",
        "+ create   tts/voice  pt_BR-faber-medium  (config/mordomo/tts.yaml:1:1)",
        "- delete   old/a  b",
        "    -two\n    +zwei\n",
        "Plan: 1 to create, 2 to update, 1 to mark, 1 to delete.",
    ):
        assert line in shown
    local.cli("apply", "--yes")
    assert local.kv.tree() == {
        "brain/model": b"qwen2.5:3b",
        "brain/temperature": b"0.7",
        "text/poem": b"one\nzwei\nthree\n",
        "tts/voice": b"pt_BR-faber-medium",
        "wake_word/sensitivity": b"0.7",
    }


def test_a_hint_names_the_store_only_where_a_flag_named_it(local: Machine) -> None:
    local.cli("apply", "--yes")
    local.kv.put("brain/model", b"by hand")
    address = local.kv.address.removeprefix("http://")
    file = local.home / "named.toml"
    file.write_text(f'[store]\naddress = "{address}"\n')
    for command in ("status", "drift"):
        by_file = local.cli(command, "--config", str(file), CONSUL_HTTP_ADDR="127.0.0.1:1").stdout
        by_flag = local.cli(command, "--address", address, CONSUL_HTTP_ADDR="127.0.0.1:1").stdout
        assert "syncd drift" in by_file
        assert "--address" not in by_file
        assert f"syncd drift --address {address}" in by_flag


def test_a_refused_plan_changes_nothing_until_that_very_plan_is_approved(machine: Machine) -> None:
    machine.repository.commit(MANY)
    machine.cli("apply", "--yes")
    machine.repository.commit({"many.yaml": None})
    hash_ = machine.json("plan", "--detailed-exitcode", check=3)["hash"]
    ended = machine.cli("apply", "--yes", check=3)
    refused = ended.stderr
    assert "20 of 24 keys would be deleted" in refused
    assert f"--approve {hash_}" in refused
    assert "refused" not in ended.stdout
    assert "--approve" not in ended.stdout
    assert "the plan is now another one" in machine.cli("apply", "--approve", "0" * 16, check=3).stderr
    assert f"syncd apply --approve {hash_}" in machine.cli("status").stdout
    assert len(machine.kv.tree()) == 24
    approved = machine.cli("apply", "--approve", hash_).stdout
    assert "approved: 20 of 24 keys would be deleted (more than 10) [mass-delete]" in approved
    assert "refused" not in approved
    assert "20 deleted" in approved
    assert "To let" not in approved
    assert len(machine.kv.tree()) == 4


def test_a_saved_plan_is_applied_to_the_letter(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    told = machine.cli("plan", "--save", str(file)).stdout
    assert told.endswith(f"\nSaved. To do exactly this, or nothing: syncd apply {file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == machine.json("plan")
    machine.repository.commit({"later.yaml": "a: b\n"})
    machine.cli("apply", str(file), "--yes")
    assert machine.kv.get("later/a") is None
    assert machine.kv.get("brain/model") == b"qwen2.5:3b"


def test_a_saved_plan_that_no_longer_holds_is_refused(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    machine.cli("plan", "--save", str(file))
    machine.kv.put("brain/model", b"qwen2.5:3b")
    moved = machine.cli("apply", str(file), "--yes", check=3).stderr
    assert "the saved plan no longer holds: these keys moved: brain/model" in moved
    assert machine.kv.tree() == {"brain/model": b"qwen2.5:3b"}


def test_a_plan_is_never_written_through_a_link(local: Machine, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "plan.json"
    target.write_text("precious")
    link.symlink_to(target)
    local.cli("plan", "--save", str(link))
    assert target.read_text() == "precious"
    assert not link.is_symlink()


def test_without_a_terminal_apply_wants_yes(local: Machine) -> None:
    assert "the plan cannot be read: No such file" in local.cli("apply", "missing.json", check=1).stderr
    assert "say --yes" in local.cli("apply", check=64).stderr
    assert local.kv.tree() == {}


def test_while_a_daemon_leads_apply_names_it_and_writes_nothing(machine: Machine) -> None:
    with machine.run() as daemon:
        daemon.wait_for_output("info    applied")
        refused = machine.other("elsewhere").cli("apply", "--yes", check=3).stderr
        assert f"(pid {daemon.process.pid})" in refused
        assert "held by" in machine.cli("status").stdout


def test_an_approval_that_nothing_waits_for_is_not_left_with_a_daemon(local: Machine) -> None:
    with local.run() as daemon:
        daemon.wait_for_output("info    applied")
        done = local.other("elsewhere").cli("apply", "--approve", local.json("plan")["hash"])
        assert "Nothing was written." in done.stdout
        assert local.kv.own("control") == {}


def test_an_approval_is_not_for_a_plan_that_needs_none(local: Machine) -> None:
    told = local.cli("apply", "--approve", local.json("plan")["hash"], check=3).stderr
    assert "nothing waits for that approval: the plan is now one that needs none" in told
    assert local.kv.tree() == {}


def test_deletes_that_still_wait_are_named_with_what_lets_them_through(local: Machine) -> None:
    local.cli("apply", "--yes")
    local.kv.put("tts/voice", b"by hand")
    local.repository.commit({"tts.yaml": None, "later.yaml": "a: b\n"})
    done = local.json("apply", "--yes")
    assert done["waiting"] == 1
    assert done["hash"] == local.json("plan")["hash"]
    local.cli("apply", "--approve", done["hash"])
    assert local.kv.get("tts/voice") is None


def test_uncommitted_edits_that_were_applied_are_told_as_such(local: Machine) -> None:
    local.repository.write({"brain.yaml": "model: edited\n"})
    commit = local.repository.git("rev-parse", "HEAD")[:7]
    assert f"Applied {commit}+: " in local.cli("apply", "--worktree", "--yes").stdout
    told = local.cli("status").stdout
    assert "so not applied" not in told
    assert "git has lost" not in told
    assert "config/mordomo/brain.yaml: not committed; the store holds edits" in told
    assert f"No changes. The store holds {commit}+." in local.cli("plan", "--worktree").stdout


def test_an_older_commit_is_never_applied(local: Machine) -> None:
    local.repository.commit({"brain.yaml": "model: newer\n"})
    local.cli("apply", "--yes")
    refused = local.cli("apply", "--yes", "--at", "HEAD~1", check=3).stderr
    assert "is older than what the store holds" in refused
    assert "--approve" not in refused
    assert local.kv.get("brain/model") == b"newer"


def test_a_rewritten_history_waits_until_it_is_approved(local: Machine) -> None:
    local.cli("apply", "--yes")
    local.repository.git("commit", "-q", "--amend", "-m", "Rewritten")
    assert "history was rewritten" in local.cli("apply", "--yes", check=3).stderr
    assert "history was rewritten" in local.cli("status").stdout
    local.cli("apply", "--approve", local.json("plan")["hash"])
    assert local.kv.own("revision")["applied"]["message"] == "Rewritten"


def test_an_invalid_tree_is_shown_by_its_places(local: Machine) -> None:
    local.repository.commit({"brain.yaml": "model: [\n"})
    assert "at config/mordomo/brain.yaml:" in local.cli("plan", check=65).stderr
    assert "is invalid" in local.cli("status").stdout


def test_explain_says_what_a_key_is(local: Machine) -> None:
    local.repository.commit({"listed.yaml": "a: b\n"})
    assert "  is      new: git says it" in local.cli("explain", "brain/model").stdout
    local.cli("apply", "--yes")
    local.kv.put("stranger", b"x")
    local.kv.put("brain/model", b"by hand")
    local.kv.delete("tts/voice")
    full = local.cli("explain", f"{local.kv.prefix}/brain/temperature").stdout
    assert "  is      in sync" in full
    assert "  file    config/mordomo/brain.yaml:2:1" in full
    assert "'Start' by Ana" in full
    drift = local.json("explain", "brain/model")
    assert (drift["state"], drift["said"], drift["held"]) == ("drift", "qwen2.5:3b", "by hand")
    assert local.json("explain", "stranger")["state"] == "foreign"
    assert local.json("explain", "tts/voice")["state"] == "missing"
    local.repository.commit({"listed.yaml": None})
    assert local.json("explain", "listed/a")["state"] == "gone from git"
    assert "did you mean brain/model" in local.cli("explain", "brain/modle", check=1).stderr
    assert "drift    2 keys: brain/model, tts/voice" in local.cli("status").stdout


def test_explain_goes_by_the_applied_commit_while_the_tip_is_invalid(local: Machine) -> None:
    valid, invalid = local.repository.git("rev-parse", "HEAD"), local.repository.commit({"tts.yaml": "voice: [\n"})
    local.cli("explain", "brain/model", check=65)  # nothing is applied that it could go by
    local.cli("apply", "--at", valid, "--yes")
    ended = local.cli("explain", "brain/model")
    assert "  is      in sync" in ended.stdout
    assert f"commit {invalid[:7]} is invalid and changes nothing" in ended.stderr
    assert f"what follows is of {valid[:7]}, which is applied" in ended.stderr
    local.cli("explain", "brain/model", "--at", invalid, check=65)


def test_what_stands_in_the_store_is_imported_and_only_marked_afterwards(machine: Machine) -> None:
    live = {"brain/model": b"gpt", "brain/limits/daily": b"007", "tts/poem": b"a\n b\n\n", "plain": b"\x00\xff"}
    for key, value in live.items():
        machine.kv.put(key, value)
    machine.repository.commit(dict.fromkeys(SEED))
    made = machine.cli("import").stdout
    assert "wrote config/mordomo/brain.yaml" in made
    machine.repository.commit(message="Import")
    counts = machine.json("plan")["counts"]
    assert counts == {"mark": len(live)}
    machine.cli("apply", "--yes")
    assert machine.kv.tree() == live
    exists = machine.cli("import", check=1).stderr
    assert "are there already" in exists
    assert "brain.yaml" in exists


def test_status_shows_the_store_half_where_the_tip_has_lost_the_tree(machine: Machine) -> None:
    machine.cli("apply", "--yes")
    applied = machine.json("status")["live"]["applied"]["commit"]
    machine.repository.git("rm", "-rq", TREE)
    machine.repository.git("commit", "-qm", "Delete everything")
    told = machine.json("status")
    assert told["live"]["applied"]["commit"] == applied
    (problem,) = told["tip"]["problems"]
    assert problem["message"].startswith("there is no folder config/mordomo in commit")
    assert "is invalid and changes nothing" in machine.cli("status").stdout


def test_status_shows_the_git_half_where_the_store_does_not_answer(local: Machine) -> None:
    told = local.cli("status", "--address", "127.0.0.1:1", check=75).stdout
    assert "'Start' by Ana" in told
    assert told.splitlines()[-1] == "store    127.0.0.1:1 does not answer (Connection refused)"
    assert local.json("status", "--address", "127.0.0.1:1", check=75)["live"] is None
