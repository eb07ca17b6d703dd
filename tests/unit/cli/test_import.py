"""``syncd import`` from what ``consul kv export`` prints."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.cli.files import add_files
from syncd.core.errors import SyncdError
from tests.support.repository import Repository
from tests.unit.cli.conftest import Syncd


def export(pairs: dict[str, bytes], folder: Path) -> str:
    """Write what Consul prints: null for an empty value."""
    rows = [
        {"key": key, "flags": 7, "value": base64.b64encode(value).decode() if value else None}
        for key, value in pairs.items()
    ]
    path = folder / "export.json"
    path.write_text(json.dumps(rows, indent="\t"))
    return str(path)


segments = st.text("abcXYZ019_-. ", min_size=1, max_size=6).filter(lambda text: text.strip(".") and text[0] != ".")
keys = st.lists(segments, min_size=2, max_size=4).map("/".join)
values = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pairs=st.dictionaries(keys, values, min_size=1, max_size=8))
def test_render_of_an_imported_tree_gives_the_same_keys_and_bytes(
    syncd: Syncd, tmp_path_factory: pytest.TempPathFactory, pairs: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("import")
    repository = Repository(folder)
    whole = {f"config/mordomo/{key}": value for key, value in pairs.items()}
    assert syncd("import", export(whole, folder), "--repo", str(folder)).code == 0
    repository.commit()
    rendered = json.loads(syncd("render", "--output", "consul-export", "--repo", str(folder)).out)
    assert {row["key"]: base64.b64decode(row["value"]) for row in rendered} == whole


def test_the_next_steps_are_told(syncd: Syncd, repository: Repository) -> None:
    ended = syncd("import", export({"config/mordomo/brain/model": b"x"}, repository.folder))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("wrote config/mordomo/brain.yaml\n1 key in 1 file. Next:\n  git add config/mordomo &&")
    assert ended.out.endswith("\n  syncd plan     # nothing but keys to mark\n  syncd apply\n")
    assert (repository.tree / "brain.yaml").read_text() == "model: x\n"


def test_the_next_steps_are_those_of_the_same_tree_and_store(syncd: Syncd, repository: Repository) -> None:
    words = ("--path", "my tree", "--prefix", "shop", "--address", "consul:8600")
    ended = syncd("import", export({"shop/a/b": b"x"}, repository.folder), *words)
    flags = "--path 'my tree' --prefix shop --address consul:8600"
    assert ended.out.endswith(f"\n  syncd plan {flags}     # nothing but keys to mark\n  syncd apply {flags}\n")


def test_json_lists_what_was_written(syncd: Syncd, repository: Repository) -> None:
    file = export({"config/mordomo/brain/model": b"x"}, repository.folder)
    told = json.loads(syncd("import", file, "--into", "elsewhere", "--output", "json").out)
    assert told == {"folder": "elsewhere", "files": ["brain.yaml"], "keys": 1}


def test_keys_outside_the_prefix_are_listed_and_nothing_is_written(syncd: Syncd, repository: Repository) -> None:
    file = export({"config/mordomo/a/b": b"1", "other/key": b"2"}, repository.folder)
    ended = syncd("import", file)
    assert ended.code == 1
    assert "1 key not below the prefix 'config/mordomo':\n    other/key\n" in ended.err
    assert "--prefix" in ended.err
    assert not repository.tree.exists()
    assert syncd("import", file, "--prefix", "").code == 0


def test_syncds_own_keys_are_left_out(syncd: Syncd, repository: Repository) -> None:
    pairs = {"config/mordomo/.syncd/revision": b"{}", "config/mordomo/a/b": b"1"}
    assert "1 key in 1 file" in syncd("import", export(pairs, repository.folder)).out


def test_files_that_are_there_are_listed_and_nothing_is_written(syncd: Syncd, repository: Repository) -> None:
    repository.write({"brain.yaml": "mine: 1\n"})
    file = export({"config/mordomo/brain/a": b"1", "config/mordomo/tts/a": b"1"}, repository.folder)
    ended = syncd("import", file)
    assert ended.code == 1
    assert "brain.yaml" in ended.err
    assert [path.name for path in repository.tree.iterdir()] == ["brain.yaml"]
    assert (repository.tree / "brain.yaml").read_text() == "mine: 1\n"


def test_keys_that_no_tree_can_hold_are_named_and_nothing_is_written(syncd: Syncd, repository: Repository) -> None:
    ended = syncd("import", export({"config/mordomo/a//b": b"1", "config/mordomo/c/d": b"1"}, repository.folder))
    assert ended.code == 1
    assert "a//b" in ended.err
    assert not repository.tree.exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"key": "a", "value": "%"}]'])
def test_what_is_no_export_is_refused(syncd: Syncd, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    ended = syncd("import", "file")
    assert ended.code == 1
    assert "this is not what consul kv export prints" in ended.err


def test_a_missing_file_is_told(syncd: Syncd) -> None:
    assert "cannot be read: No such file" in syncd("import", "missing").err


def test_a_failure_half_way_takes_everything_back(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(SyncdError, match="cannot be written"):
        add_files(tmp_path / "there", {"a": b"1", "x" * 300: b"2"})
    assert list((tmp_path / "there").iterdir()) == []


def test_files_outside_the_repositorys_tree_have_no_next_steps(syncd: Syncd, repository: Repository) -> None:
    file = export({"config/mordomo/brain/model": b"x"}, repository.folder)
    told = syncd("import", file, "--into", "elsewhere").out
    assert told == "wrote elsewhere/brain.yaml\n1 key in 1 file.\n"
    assert "git add" in syncd("import", file, "--into", "config/mordomo").out


def test_an_export_without_a_slash_takes_in_the_neighbour_and_is_told_how_not_to(
    syncd: Syncd, repository: Repository
) -> None:
    told = syncd("import", export({"config/mordomo/a/b": b"1", "config/mordomo2/x": b"2"}, repository.folder)).err
    assert "consul kv export config/mordomo/;" in told
