"""``tools/consul`` names a binary, or says what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools/consul"
TOOLS = (
    "sh",
    "dirname",
    "cat",
    "sed",
    "tr",
    "grep",
    "sort",
    "mkdir",
    "mktemp",
    "rm",
    "mv",
    "sha256sum",
    "env",
    "touch",
    "cp",
)


class Machine:
    """A machine with nothing but what a test puts into its ``bin``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        (home / "tools").mkdir()
        shutil.copy(SCRIPT, home / "tools/consul")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)

    def install(self, name: str, script: str = "") -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.home / "tools/consul"],
            env={"PATH": str(self.bin), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_named_binary_comes_first(machine: Machine) -> None:
    machine.install("consul")
    named = machine.install("consul-1.17")
    assert machine.run(SYNCD_TEST_CONSUL=str(named)).stdout == f"{named}\n"


def test_a_named_binary_that_cannot_be_executed_is_an_error(machine: Machine) -> None:
    said = machine.run(SYNCD_TEST_CONSUL="/nowhere/consul")
    assert said.returncode == 1
    assert "SYNCD_TEST_CONSUL=/nowhere/consul cannot be executed" in said.stderr


def test_a_binary_on_path_comes_next(machine: Machine) -> None:
    found = machine.install("consul")
    assert machine.run().stdout == f"{found}\n"


def test_what_was_obtained_before_is_used(machine: Machine) -> None:
    kept = machine.home / ".cache/consul/root/usr/bin/consul"
    kept.parent.mkdir(parents=True)
    machine.install("kept").rename(kept)
    assert machine.run().stdout == f"{kept}\n"


def test_without_apt_the_way_out_is_named(machine: Machine) -> None:
    said = machine.run()
    assert said.returncode == 1
    assert "has no apt-get" in said.stderr
    assert "What to do: name a binary of your own: SYNCD_TEST_CONSUL=" in said.stderr


@pytest.mark.skipif(not os.access("/usr/share/keyrings/debian-archive-keyring.gpg", os.R_OK), reason="not a Debian")
def test_a_mirror_that_does_not_answer_is_named_and_nothing_is_left(machine: Machine) -> None:
    machine.install("apt-get", "exit 100")
    machine.install("dpkg")
    said = machine.run(DEBIAN_MIRROR="http://nowhere.invalid/packages")
    assert said.returncode == 1
    assert "apt could not fetch the package from http://nowhere.invalid/packages" in said.stderr
    assert list((machine.home / ".cache").iterdir()) == []


@pytest.mark.skipif(not os.access("/usr/share/keyrings/debian-archive-keyring.gpg", os.R_OK), reason="not a Debian")
def test_a_package_that_is_not_the_one_that_was_tried_is_refused(machine: Machine) -> None:
    machine.install("apt-get", 'case "$*" in *download*) echo x >consul_1_amd64.deb;; esac')
    machine.install("dpkg")
    machine.install("dpkg-deb", "echo amd64")
    said = machine.run(DEBIAN_MIRROR="http://nowhere.invalid/packages")
    assert said.returncode == 1
    assert "its SHA-256 differs" in said.stderr
    assert list((machine.home / ".cache").iterdir()) == []


@pytest.mark.skipif(not os.access("/usr/share/keyrings/debian-archive-keyring.gpg", os.R_OK), reason="not a Debian")
def test_a_package_is_unpacked_once(machine: Machine) -> None:
    machine.install("apt-get", 'echo "$*" >>"$HOME/calls"; case "$*" in *download*) echo x >consul_1_arm64.deb;; esac')
    machine.install("dpkg-deb", "echo arm64")
    machine.install("dpkg", 'mkdir -p "$3/usr/bin" && cp "$0" "$3/usr/bin/consul"')
    for _ in range(2):
        said = machine.run(DEBIAN_MIRROR="http://nowhere.invalid/packages", HOME=str(machine.home))
        assert said.stdout == f"{machine.home}/.cache/consul/root/usr/bin/consul\n", said.stderr
    assert len((machine.home / "calls").read_text().splitlines()) == 2
