"""``syncd apply`` asks a person on a terminal."""

import os
import pty
import subprocess

import pytest

from tests.support.machine import Machine
from tests.support.process import COMMAND, environment


@pytest.mark.parametrize(("answer", "code", "value"), [(b"y\n", 0, b"qwen2.5:3b"), (b"n\n", 1, None)])
def test_a_person_is_asked_and_decides(local: Machine, answer: bytes, code: int, value: bytes | None) -> None:
    person, terminal = pty.openpty()
    settings = {"CONSUL_HTTP_ADDR": local.kv.address, "SYNCD_STORE_PREFIX": local.kv.prefix}
    os.write(person, answer)
    done = subprocess.run(
        [*COMMAND, "apply"],
        cwd=local.repository.folder,
        env=environment(local.home, **settings),
        stdin=terminal,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(person)
    os.close(terminal)
    assert (done.returncode, local.kv.get("brain/model")) == (code, value), done.stderr
    assert "Apply this plan? [y/N]" in done.stderr
    assert ("Nothing was written." in done.stderr) is (code == 1)
