"""``syncd drift`` and its patch: what somebody changed in the store is brought into the files."""

import subprocess

from tests.support.machine import Machine

PAUSE = b'{"format":1,"pause":{"author":"Ana","since":0}}'
REPORT = "rules:\n- match: '*'\n  drift: report\n"


def git_apply(machine: Machine, patch: str, at: str = ".") -> None:
    done = subprocess.run(
        ["git", "apply", "--index", "-"],
        cwd=machine.repository.folder / at,
        input=patch.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stderr, patch)


def test_x(machine: Machine) -> None:
    machine.repository.commit({"brain.yaml": "# c\nmodel: a  # why\ntemp: 0.7\n"})
    machine.cli("apply", "--yes")
    machine.kv.put("brain/model", b"by hand: x")
    machine.kv.delete("brain/temp")
    print(machine.cli("drift").stdout)
    print(machine.cli("drift", "--output", "json").stdout)
    d = machine.cli("drift", "--patch")
    print(d.stdout, d.stderr)
    git_apply(machine, d.stdout)
    machine.repository.commit()
    print(machine.cli("drift").stdout)
    print(machine.cli("plan").stdout)
    d = machine.cli("drift", "--patch")
    print(d.stdout, d.stderr)
    machine.cli("apply", "--yes")
    print(machine.cli("drift").stdout)
    assert 0
