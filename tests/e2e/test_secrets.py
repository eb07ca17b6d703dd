"""Promise 12: a secret value stands in git and in the store, and nowhere else."""

from pathlib import Path

from tests.support.machine import Machine

OLD = "old-hunter2-value"
NEW = "new-hunter2-value"
RULES = {".syncd.yaml": "rules:\n  - match: vault.yaml\n    secret: true\n"}


def test_promise_12_no_secret_reaches_logs_errors_or_printed_plans(local: Machine, tmp_path: Path) -> None:
    said = []

    def run(*words: str) -> None:
        for style in ((), ("--output", "json")):
            done = local.cli(*words, *style, check=None)
            said.append(done.stdout + done.stderr)

    local.repository.commit({**RULES, "vault.yaml": f"password: {OLD}\n"})
    plan = tmp_path / "plan.json"
    with local.run(SYNCD_LOG_LEVEL="debug") as daemon:
        daemon.wait_for_output("info    applied")
        local.repository.commit({"vault.yaml": f"password: {NEW}\n"})
        daemon.wait_for(lambda: local.kv.get("vault/password") == NEW.encode())
        daemon.wait_for_output("sha256:")
        local.repository.commit({"vault.yaml": f"password: {OLD}\npassword: {NEW}\n"})
        daemon.wait_for_output("the commit is invalid")
        run("plan")
        run("status")
        run("validate")
        local.repository.commit({"vault.yaml": None})
        daemon.wait_for(lambda: local.kv.get("vault/password") is None)
        said.append(daemon.output)
    local.kv.put("vault/password", OLD.encode())
    local.repository.commit({"vault.yaml": f"password: {NEW}\n"})
    run("plan", "--save", str(plan))
    run("apply", "--yes")
    run("explain", "vault/password")
    run("render")
    run("status")
    said.append(plan.read_text())
    said.append(str(local.kv.own("revision")))
    assert all("hunter2" not in text for text in said)
    assert "sha256:" in said[0] + said[-2]
