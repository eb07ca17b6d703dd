"""``syncd snapshot`` on files, without a store."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from syncd.snapshots.folder import Folder
from syncd.snapshots.taking import Taken, take
from tests.support.snapshots import control, kv, register, snapshot
from tests.unit.cli.conftest import Syncd

RECORDS: Final[tuple[tuple[int, object], ...]] = (
    register(),
    register(service={"ID": "web"}),
    kv("app/a", b"one"),
    kv("app/b/c", b"two\n"),
    kv("app/raw", b"\xff\x00"),
    control("app", "c0ffee1" * 5, "badcafe" * 5),
    (3, {"ID": "s"}),
    (17, {}),
    (19, {}),
    (19, {}),
    (99, {}),
)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNCD_SNAPSHOTS_DIRECTORY", str(tmp_path / "kept"))
    monkeypatch.setenv("SYNCD_STORE_PREFIX", "app")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A foreign file, in the working directory."""
    path = tmp_path / "theirs.snap"
    path.write_bytes(snapshot(*RECORDS))
    return path


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """One that syncd took."""
    return taken(tmp_path / "kept", snapshot(*RECORDS)).path


def taken(directory: Path, content: bytes, seconds: int = 1_795_651_200) -> Taken:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    folder = Folder(directory)

    async def run() -> Taken:
        return await take(
            folder, pieces(), prefix="app", taken=seconds, day=date(2026, 11, 26), progress=lambda _: None
        )

    with folder.locked():
        return asyncio.run(run())


def test_the_list_tells_ours_foreign_pinned_and_damaged_apart(syncd: Syncd, ours: Path, tmp_path: Path) -> None:
    damaged = taken(tmp_path / "kept", snapshot(), 1_795_651_300).path
    damaged.write_bytes(damaged.read_bytes()[:-1])
    foreign = tmp_path / "kept/foreign.snap"
    foreign.write_bytes(b"x")
    for path, seconds in ((damaged, 1_795_651_300), (foreign, 1_795_651_400)):
        os.utime(path, (seconds, seconds))
    assert syncd("snapshot", "pin", ours.name).out == f"{ours.name} stays until: syncd snapshot unpin {ours.name}\n"
    lines = syncd("snapshot", "list").out.splitlines()
    rows = [line.split() for line in lines]
    assert rows[0] == ["SNAPSHOT", "TAKEN", "INDEX", "COMMIT", "KEYS", "SIZE", "NOTE"]
    assert rows[1][:6] == [ours.name, "2026-11-26", "00:00", "1570", "c0ffee1", "4"]
    assert [line.rsplit("  ", 1)[1] for line in lines[1:]] == [
        "pinned",
        f"damaged: it has {damaged.stat().st_size:,} bytes; {damaged.stat().st_size + 1:,} were verified",
        "foreign",
    ]
    assert syncd("snapshot", "unpin", ours.name).code == 0
    told = json.loads(syncd("snapshot", "list", "--output", "json").out)
    assert [(each["pinned"], each["foreign"], bool(each["fault"])) for each in told] == [
        (False, False, False),
        (False, True, True),
        (False, True, False),
    ]


def test_without_snapshots_the_list_says_how_to_get_one(syncd: Syncd) -> None:
    assert "Take one: syncd snapshot take" in syncd("snapshot", "list").out
    assert syncd("snapshot", "list", "--output", "json").out == "[]\n"
    assert syncd("snapshot", "verify").out == ""


def test_inspect_says_what_it_holds(syncd: Syncd, ours: Path, theirs: Path) -> None:
    told = syncd("snapshot", "inspect", ours.name).out
    for line in (
        "  sound      every byte; it is what was taken",
        "  taken      2026-11-26 00:00:00",
        "  index      1570 (term 2)",
        f"  commit     {'c0ffee1' * 5}, while badcafe was being applied",
        "  datacenter dc1",
        "  holds      4 keys, 1 node, 1 service, 0 checks, 1 session, 1 ACL token, 2 ACL policies",
        "  unknown    kinds 99 are of a newer Consul or of Consul Enterprise; they are counted, no more",
    ):
        assert line in told.splitlines()
    assert "unknown (99)  1        2 bytes" in told
    assert "syncd has no manifest of it" in syncd("snapshot", "inspect", str(theirs)).out


def test_inspect_lists_keys_by_hash(syncd: Syncd, theirs: Path) -> None:
    told = syncd("snapshot", "inspect", str(theirs), "--keys").out
    assert "app/a                3      0      7      sha256:7692c3ad3540" in told
    keys = json.loads(syncd("snapshot", "inspect", str(theirs), "--keys", "--output", "json").out)["keys"]
    assert [each["key"] for each in keys] == ["app/.syncd/revision", "app/a", "app/b/c", "app/raw"]
    assert "one" not in told


def test_show_prints_exactly_the_value(ours: Path, theirs: Path, tmp_path: Path) -> None:
    for file in (ours, theirs):
        for key, value in (("app/b/c", b"two\n"), ("app/raw", b"\xff\x00")):
            done = subprocess.run(
                [sys.executable, "-m", "syncd", "snapshot", "show", str(file), key],
                capture_output=True,
                cwd=tmp_path,
                check=True,
            )
            assert done.stdout == value


def test_show_of_a_key_that_is_not_there_says_so(syncd: Syncd, theirs: Path) -> None:
    ended = syncd("snapshot", "show", str(theirs), "a")
    assert (ended.code, ended.out) == (1, "")
    assert "there is no key 'a' in it" in ended.err


@pytest.mark.parametrize("words", [("show", "app/a"), ("inspect",), ("verify",)], ids=["show", "inspect", "verify"])
def test_a_sound_file_in_the_place_of_ours_is_not_ours(syncd: Syncd, ours: Path, words: tuple[str, ...]) -> None:
    manifest = json.loads(Path(f"{ours}.json").read_text())
    other = snapshot(*RECORDS[:3], kv("app/a", b"two"), *RECORDS[3:])
    manifest["size"] = len(other)
    Path(f"{ours}.json").write_text(json.dumps(manifest))
    ours.write_bytes(other)
    ended = syncd("snapshot", words[0], ours.name, *words[1:])
    assert ended.code == 1
    assert "its bytes are not those that were taken" in ended.out + ended.err


def test_verify_names_every_file_and_fails_for_one_that_is_damaged(
    syncd: Syncd, ours: Path, theirs: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.snap"
    broken.write_bytes(theirs.read_bytes()[:-5])
    ended = syncd("snapshot", "verify", ours.name, str(theirs), str(broken), "gone.snap")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        f"sound    {ours.name}  {ours.stat().st_size:,} bytes, 4 keys",
        f"sound    theirs.snap  {theirs.stat().st_size:,} bytes, 4 keys",
        "damaged  broken.snap: it is cut off: its gzip stream has no end",
        "damaged  gone.snap: the snapshot cannot be read: No such file or directory",
    ]
    assert syncd("snapshot", "verify").code == 0
    told = json.loads(syncd("snapshot", "verify", str(broken), "--output", "json").out)
    assert told == [{"file": str(broken), "sound": False, "fault": "it is cut off: its gzip stream has no end"}]


def test_nothing_to_verify_proves_nothing(syncd: Syncd, tmp_path: Path) -> None:
    ended = syncd("snapshot", "verify", "--directory", str(tmp_path / "empty"))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "error: there are no snapshots",
        f"  at {tmp_path / 'empty'}",
        "  hint: take one: syncd snapshot take",
    ]


def test_extract_writes_an_export_or_a_tree(syncd: Syncd, theirs: Path, tmp_path: Path) -> None:
    export = json.loads(syncd("snapshot", "extract", str(theirs), "--prefix", "app/b").out)
    assert export == [{"key": "app/b/c", "flags": 0, "value": "dHdvCg=="}]
    assert len(json.loads(syncd("snapshot", "extract", str(theirs)).out)) == 4
    ended = syncd("snapshot", "extract", str(theirs), "--prefix", "app", "--output", "yaml", "--into", "tree")
    assert ended.out == "wrote tree/a\nwrote tree/b.yaml\nwrote tree/raw\n"
    assert (tmp_path / "tree/b.yaml").read_text() == 'c: "two\\n"\n'
    again = syncd("snapshot", "extract", str(theirs), "--prefix", "app", "--output", "yaml", "--into", "tree")
    assert again.code == 1
    assert "there already" in again.err


@pytest.mark.parametrize("words", [("--output", "yaml"), ("--into", "tree")])
def test_a_tree_needs_a_folder_and_only_a_tree_does(syncd: Syncd, theirs: Path, words: tuple[str, ...]) -> None:
    ended = syncd("snapshot", "extract", str(theirs), *words)
    assert ended.code == 64
    assert "belong together" in ended.err


def test_a_key_that_json_cannot_hold_is_an_error(syncd: Syncd, tmp_path: Path) -> None:
    (tmp_path / "odd.snap").write_bytes(snapshot(kv(b"a\xff")))
    ended = syncd("snapshot", "extract", "odd.snap")
    assert (ended.code, ended.out) == (1, "")
    assert "not UTF-8" in ended.err
    assert syncd("snapshot", "inspect", "odd.snap", "--keys").code == 0


def test_diff_shows_hashes_unless_values_are_asked_for(syncd: Syncd, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "new.snap").write_bytes(
        snapshot(kv("app/a", b"one", Flags=5), kv("app/b/c", b"three\n"), kv("app/z", b"\xfe"))
    )
    told = syncd("snapshot", "diff", "theirs.snap", "new.snap").out.splitlines()
    assert told[1] == "~ update   app/a  3 bytes sha256:7692c3ad3540 → 3 bytes sha256:7692c3ad3540  (flags 0 → 5)"
    assert told[-1] == "Compared: 1 created, 2 updated, 2 deleted, 0 the same."
    assert not any("three" in line for line in told)
    shown = syncd("snapshot", "diff", "theirs.snap", "new.snap", "--values").out
    assert "three" in shown
    found = json.loads(syncd("snapshot", "diff", "theirs.snap", "new.snap", "--values", "--output", "json").out)
    assert (found["create"], found["update"], found["delete"], found["same"]) == (1, 2, 2, 0)
    z = next(each for each in found["changes"] if each["key"] == "app/z")
    assert z == {
        "key": "app/z",
        "operation": "create",
        "old": None,
        "new": {
            "size": 1,
            "flags": 0,
            "sha256": "aa687b58b0e73e2e383f8c500d75b591e188efe0168b3ffbcd3771caaa6dd4c7",
            "value": {"base64": "/g=="},
        },
    }


def test_errors_are_json_where_json_is_asked_for(syncd: Syncd) -> None:
    ended = syncd("snapshot", "inspect", "gone.snap", "--output", "json")
    error = json.loads(ended.err)["error"]
    assert error["message"] == "the snapshot cannot be read: No such file or directory"
    assert error["hint"] == "FILE is a path, or a name that syncd snapshot list shows"
