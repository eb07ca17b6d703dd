"""The systemd units: right, closed, and alike."""

import difflib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNITS: Final = (ROOT / "systemd/syncd.service", ROOT / "systemd/syncd@.service")
SNAPSHOT: Final = ROOT / "systemd/syncd-snapshot.service"
INSTALLED: Final = "/opt/syncd/bin/syncd"
MOST_EXPOSED: Final = 15  # tenths; 0 is a service that may do nothing, 100 one that may do everything


def analyze(*words: str) -> str:
    """Run ``systemd-analyze`` and return all that it says; without it skip the test, or fail it under CI."""
    if shutil.which("systemd-analyze") is None:
        why = "no systemd-analyze"
        pytest.fail(why, pytrace=False) if os.environ.get("CI") else pytest.skip(why)
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(params=[*UNITS, SNAPSHOT], ids=lambda unit: unit.name)
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is installed, but for the folder of the program, with its commented lines in force."""
    program = tmp_path / "syncd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    source: Path = request.param
    text = source.read_text().replace(INSTALLED, str(program))
    text = text.replace("#LoadCredential", "LoadCredential").replace("#Environment", "Environment")
    assert str(program) in text
    unit = tmp_path / source.name
    unit.write_text(text)
    return unit


def test_systemd_finds_nothing_wrong_with_it(installed: Path) -> None:
    assert analyze("verify", str(installed)) == ""


def test_a_mistake_in_it_would_be_found(installed: Path) -> None:
    installed.write_text(installed.read_text().replace("LockPersonality=yes", "LockPersonalty=yes"))
    assert "LockPersonalty" in analyze("verify", str(installed))


def test_it_may_do_next_to_nothing(installed: Path) -> None:
    said = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(installed))
    assert "Overall exposure level" in said


def test_the_units_differ_in_their_names_only() -> None:
    plain, instance = (unit.read_text().splitlines() for unit in UNITS)
    found = [line for line in difflib.ndiff(plain, instance) if line[0] in "+-" and line[2] != "#"]
    assert [line for line in found if line[0] == "+"] == [
        "+ Description=syncd: keeps a Consul KV prefix equal to a git-tracked YAML tree (%i)",
        "+ ExecStart=/opt/syncd/bin/syncd run --config /etc/syncd/%i.toml",
        "+ StateDirectory=syncd-%i",
        "+ RuntimeDirectory=syncd-%i",
    ]
    assert len(found) == 8


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_secret_of_its_settings_can_be_handed_to_it(unit: Path) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    for name in ("brain:/etc/syncd/brain.secret", "catalog:/etc/syncd/catalog.secret", "tokens:/etc/syncd/tokens"):
        assert f"\n#LoadCredential={name}\n" in unit.read_text()
        assert f"`LoadCredential={name}`" in page
        assert f'"/run/credentials/syncd.service/{name.partition(":")[0]}"' in page


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_is_restarted_ended_and_kept_private_as_promised(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    for line in (
        "Type=notify",
        "WatchdogSec=1min",
        "Restart=on-failure",
        "TimeoutStopSec=10s",
        "DynamicUser=yes",
        "StateDirectoryMode=0700",
        "LimitCORE=0",
    ):
        assert line in lines


def test_the_snapshot_s_unit_is_as_closed_and_has_a_user_and_a_token_of_its_own() -> None:
    plain, snapshot = (unit.read_text().splitlines() for unit in (UNITS[0], SNAPSHOT))
    hardening = plain[plain.index("CapabilityBoundingSet=") : plain.index("[Install]")]
    assert set(hardening) - set(snapshot) == {"ProtectHome=read-only"}, "it reads no repository"
    assert "ProtectHome=yes" in snapshot
    for line in (
        "Type=oneshot",
        "ExecStart=/opt/syncd/bin/syncd snapshot take",
        "DynamicUser=yes",
        "StateDirectory=syncd-snapshot",
        "#LoadCredential=token:/etc/syncd/snapshot-token",
        "#Environment=SYNCD_SNAPSHOTS_TOKEN_FILE=%d/token",
    ):
        assert line in snapshot
