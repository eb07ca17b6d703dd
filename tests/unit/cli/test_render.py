"""``syncd render``."""

import json
import os
import subprocess

import pytest

from syncd.cli.render import consul_export
from syncd.core.mark import mark_of
from tests.support.consul import ConsulAgent, consul_binary
from tests.support.repository import SEED, Repository
from tests.unit.cli.conftest import Syncd

SECRETS = {**SEED, ".syncd.yaml": "rules: [{match: tts.yaml, secret: true}]\n"}


def test_the_table_says_key_value_and_place(syncd: Syncd, repository: Repository) -> None:
    repository.commit(SEED)
    lines = [line.split() for line in syncd("render").out.splitlines()]
    assert lines == [
        ["KEY", "VALUE", "PLACE"],
        ["config/mordomo/brain/model", "qwen2.5:3b", "config/mordomo/brain.yaml:1:1"],
        ["config/mordomo/brain/temperature", "0.7", "config/mordomo/brain.yaml:2:1"],
        ["config/mordomo/tts/voice", "pt_BR-faber-medium", "config/mordomo/tts.yaml:1:1"],
        ["config/mordomo/wake_word/sensitivity", "0.7", "config/mordomo/wake_word.yaml:1:1"],
    ]


def test_json_tells_every_key(syncd: Syncd, repository: Repository) -> None:
    commit = repository.commit({"tts.yaml": "voice: pt\n", "logo.png": b"\x89PNG"})
    told = json.loads(syncd("render", "--prefix", "p", "--output", "json").out)
    assert told["commit"] == commit
    assert told["keys"]["p/logo.png"]["value"] == {"base64": "iVBORw=="}
    voice = told["keys"]["p/tts/voice"]
    assert (voice["value"], voice["file"], voice["line"]) == ("pt", "config/mordomo/tts.yaml", 1)


@pytest.mark.parametrize("output", ["table", "json"])
def test_secrets_show_as_hashes_unless_asked_for(syncd: Syncd, repository: Repository, output: str) -> None:
    repository.commit(SECRETS)
    hidden = syncd("render", "--output", output).out
    assert "pt_BR-faber-medium" not in hidden
    assert "sha256:" in hidden
    assert "pt_BR-faber-medium" in syncd("render", "--output", output, "--show-secrets").out


def test_an_export_holds_what_a_service_reads(syncd: Syncd, repository: Repository) -> None:
    repository.commit(SECRETS)
    rows = json.loads(syncd("render", "--prefix", "p", "--output", "consul-export").out)
    assert [row["key"] for row in rows] == [
        "p/brain/model",
        "p/brain/temperature",
        "p/tts/voice",
        "p/wake_word/sensitivity",
    ]
    assert rows[2] == {"key": "p/tts/voice", "flags": mark_of("p"), "value": "cHRfQlItZmFiZXItbWVkaXVt"}


def test_an_invalid_tree_renders_nothing(syncd: Syncd, repository: Repository) -> None:
    commit = repository.commit({"tts.yaml": "a: 1\na: 2\n"})
    ended = syncd("render", "--output", "json")
    assert (ended.code, ended.out) == (65, "")
    error = json.loads(ended.err)["error"]
    assert (error["type"], error["commit"]) == ("TreeError", commit)
    assert [problem["path"] for problem in error["problems"]] == ["config/mordomo/tts.yaml"]


def test_an_export_of_nothing_is_an_empty_list() -> None:
    assert consul_export([], 1) == "[]"


def test_an_export_is_consuls_own_to_the_byte(consul: ConsulAgent, prefix: str) -> None:
    names = ("Z", "a", "a-b", "a/b", "a b", "é", '<&>"\\')
    values = {f"{prefix}/{name}": value for name, value in zip(names, (b"", b"1", b"\xff") * 3, strict=False)}
    for key, value in values.items():
        consul.put(key, value, flags=mark_of("p"))
    exported = subprocess.run(
        [consul_binary(), "kv", "export", f"{prefix}/"],
        env={**os.environ, "CONSUL_HTTP_ADDR": consul.address},
        capture_output=True,
        check=True,
    )
    ordered = sorted(values.items(), key=lambda pair: pair[0].encode())
    assert f"{consul_export(ordered, mark_of('p'))}\n".encode() == exported.stdout
