"""``syncd config show``."""

import json
from pathlib import Path

import pytest

from syncd.settings import CATALOGUE
from tests.unit.cli.conftest import Syncd


def test_it_says_where_each_value_came_from(syncd: Syncd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "syncd.toml").write_text('[store]\nlease_ttl = "90s"\n')
    monkeypatch.setenv("SYNCD_SOURCE_BRANCH", "main")
    ended = syncd("config", "show", "--prefix", "")
    rows = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines()}
    assert rows["SETTING"] == ["VALUE", "ORIGIN"]
    assert rows["store.lease_ttl"] == ["1m30s", "syncd.toml:2:1"]
    assert rows["source.branch"] == ["main", "SYNCD_SOURCE_BRANCH"]
    assert rows["store.prefix"] == ['""', "flag", "--prefix"]
    assert rows["store.parallel"] == ["16", "default"]
    assert rows.keys() >= CATALOGUE.keys()


def test_json_has_every_setting(syncd: Syncd) -> None:
    shown = json.loads(syncd("config", "show", "--output", "json", "--worktree").out)
    assert shown["settings"].keys() == CATALOGUE.keys()
    assert shown["settings"]["source.worktree"] == {"value": True, "origin": "flag --worktree"}
    assert shown["settings"]["store.address"] == {"value": "127.0.0.1:8500", "origin": "default"}
    assert shown["settings"]["store.parallel"] == {"value": 16, "origin": "default"}
    assert shown["settings"]["store.lease_ttl"] == {"value": "15s", "origin": "default"}
    assert shown["settings"]["source.branch"] == {"value": None, "origin": "default"}
    assert shown["consul"] == {}


def test_consuls_variables_are_listed_without_secrets(syncd: Syncd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://ana:hunter2@consul:8500")
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "hunter2")
    ended = syncd("config", "show")
    rows = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines()}
    assert rows["store.address"] == ["http://consul:8500", "CONSUL_HTTP_ADDR"]
    assert rows["CONSUL_HTTP_TOKEN"] == ["(set)", "environment"]
    as_json = syncd("config", "show", "--output", "json").out
    assert json.loads(as_json)["settings"]["store.address"]["value"] == "http://consul:8500"
    assert "hunter2" not in ended.out + as_json


def test_a_password_in_the_address_setting_is_not_shown(syncd: Syncd) -> None:
    assert "hunter2" not in syncd("config", "show", "--address", "http://ana:hunter2@consul:8500").out


def test_a_named_file_is_read(syncd: Syncd, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[store]\nparallel = 3\n")
    assert "other.toml:2:1" in syncd("config", "show", "--config", "other.toml").out


def test_every_bad_setting_is_reported(syncd: Syncd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_STORE_PARALLEL", "0")
    ended = syncd("config", "show", "--log-level", "loud")
    assert ended.code == 64
    assert ended.err.splitlines() == [
        "error: 2 settings cannot be used",
        "  --log-level: must be debug, info, warning or error, not 'loud'",
        "  SYNCD_STORE_PARALLEL: must be 1 to 64, not 0",
        "  hint: docs/settings.md lists every setting",
    ]


def test_subscribers_are_shown_without_what_may_hold_a_token(syncd: Syncd, tmp_path: Path) -> None:
    (tmp_path / "syncd.toml").write_text('[[subscriber]]\nname = "brain"\nwebhook = "http://h:9/x?key=hunter2"\n')
    ended = syncd("config", "show").out
    assert ended.splitlines()[-1].split() == [
        "subscriber",
        "brain",
        "webhook",
        "http://h:9/x",
        "syncd.toml:1:3",
    ]
    as_json = syncd("config", "show", "--output", "json").out
    told = {"told": "webhook http://h:9/x", "origin": "syncd.toml:1:3"}
    assert json.loads(as_json)["subscribers"] == {"brain": told}
    assert "hunter2" not in ended + as_json
