"""Real git repositories for tests, with the Mordomo tree in them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TREE: Final = "config/mordomo"

SEED: Final[Mapping[str, str]] = {
    "brain.yaml": "model: qwen2.5:3b\ntemperature: 0.7\n",
    "tts.yaml": "voice: pt_BR-faber-medium\n",
    "wake_word.yaml": "sensitivity: 0.7\n",
}

_ENVIRONMENT: Final = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


class Repository:
    """A work tree whose branch ``main`` holds a tree at ``config/mordomo``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    @property
    def tree(self) -> Path:
        """The tree's root on disk."""
        return self.folder / TREE

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=_ENVIRONMENT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files of the tree; None removes one."""
        for name, content in files.items():
            path = self.tree / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes | None] | None = None, message: str = "Change config") -> str:
        """Write files, commit everything and return the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def seed_repository(folder: Path) -> Repository:
    """Make a repository with the seed's own keys in one commit."""
    repository = Repository(folder)
    repository.commit(SEED, "Start")
    return repository
