"""A repository's own configuration names programs in many places: none of them may run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core.errors import GitBusy
from syncd.git.source import Source
from tests.support.repository import TREE, Repository, seed_repository
from tests.support.sources import Open, values

HOOKS = (
    "post-checkout", "post-commit", "post-index-change", "pre-auto-gc", "reference-transaction", "fsmonitor-watchman",
)  # fmt: skip


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The file that exists as soon as any program of the repository ran."""
    return tmp_path / "ran"


@pytest.fixture
def hostile(tmp_path: Path, ran: Path) -> Iterator[Repository]:
    repository = seed_repository(tmp_path / "hostile")
    repository.commit({".gitattributes": "*.yaml diff=evil filter=evil text eol=crlf\n"})
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    for hook in HOOKS:
        (repository.folder / ".git" / "hooks" / hook).symlink_to(script)
    for name in (
        "core.fsmonitor", "core.pager", "core.editor", "core.askPass", "core.sshCommand", "core.gitProxy",
        "core.alternateRefsCommand", "credential.helper", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "gpg.program", "uploadpack.packObjectsHook",
        "interactive.diffFilter", "alias.cat-file", "alias.ls-files", "sequence.editor",
    ):  # fmt: skip
        repository.git("config", name, f"!{script}" if name.startswith("alias") else str(script))
    yield repository
    assert not ran.exists()


async def use_all(source: Source, repository: Repository) -> None:
    tip = (await source.read()).commit.id
    (repository.tree / "tts.yaml").write_text("voice: edited\n")
    await source.read_worktree()
    await source.uncommitted()
    await source.blame("tts.yaml", 1, tip)
    await source.blame("tts.yaml", 0, tip)
    changes = source.follow(worktree=True)
    await anext(changes)
    await changes.aclose()
    await source.relation("0" * 40, tip)
    # Far and unrelated, so that git's own search is used.
    await source.relation(repository.git("commit-tree", "-m", "root", "HEAD^{tree}"), tip)


async def test_no_program_of_a_hostile_repository_runs(hostile: Repository, open_source: Open) -> None:
    await use_all(await open_source(hostile.folder), hostile)


def test_the_traps_do_spring_for_an_ordinary_git(hostile: Repository, ran: Path) -> None:
    hostile.git("status")
    assert ran.exists()
    ran.unlink()


async def test_a_partial_clone_fetches_nothing(hostile: Repository, open_source: Open, ran: Path) -> None:
    source = await open_source(hostile.folder)
    blob = hostile.git("rev-parse", f"HEAD:{TREE}/tts.yaml")
    hostile.git("config", "protocol.ext.allow", "always")
    hostile.git("config", "remote.evil.url", f"ext::touch {ran}")
    hostile.git("config", "remote.evil.promisor", "true")
    hostile.git("config", "extensions.partialClone", "evil")
    hostile.git("config", "core.repositoryFormatVersion", "1")
    (hostile.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitBusy, match="missing"):
        await source.read()


async def test_a_work_tree_configured_elsewhere_is_not_read(
    repository: Repository, open_source: Open, tmp_path: Path
) -> None:
    (tmp_path / "outside" / TREE).mkdir(parents=True)
    (tmp_path / "outside" / TREE / "secret.yaml").write_text("token: s3cr3t\n")
    source = await open_source(repository.folder)
    repository.git("config", "core.worktree", str(tmp_path / "outside"))
    assert "secret/token" not in values(await source.read())
