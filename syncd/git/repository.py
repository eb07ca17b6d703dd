"""Finding a repository and the facts about it that never change while it is followed."""

from pathlib import Path
from typing import Final, Literal

import msgspec

from syncd.core.errors import GitError
from syncd.git.process import Git

NO_FOLDER: Final = (
    "name the tree's folder in the repository with --path; one that is to be empty keeps a file such as .gitkeep"
)
_NOT_ONE: Final = "name one with --repo, or make one: git init, add and commit the tree"


class Repository(msgspec.Struct, frozen=True):
    """Where a repository's parts are.

    ``own`` is the git directory of this very work tree (HEAD, index), ``common`` the one that all its linked work
    trees share (refs, objects); ``algorithm`` names objects.
    """

    root: Path
    own: Path
    common: Path
    bare: bool
    algorithm: Literal["sha1", "sha256"]

    @property
    def oid_bytes(self) -> int:
        """How many bytes an object's name has inside a tree."""
        return 20 if self.algorithm == "sha1" else 32


async def discover(place: Path) -> tuple[Repository, Git]:
    """Find the repository that a folder belongs to."""
    git = Git(_find_root(place))
    answer = await git.run(
        "rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-object-format"
    )
    if answer.code:
        raise GitError(
            f"git cannot use the repository: {answer.complaint.removeprefix('fatal: ')}",
            where=str(git.root),
            hint="try git -C there fsck; the folder must be readable by the user that syncd runs as",
        )
    bare, own, common, algorithm = answer.text.splitlines()
    repository = Repository(
        git.root,
        Path(own),
        (git.root / common).resolve(),
        bare == "true",
        "sha256" if algorithm == "sha256" else "sha1",
    )
    if (repository.common / "reftable").is_dir():
        raise GitError(
            "the repository keeps its refs as a reftable, which syncd cannot follow",
            where=str(git.root),
            hint="git refs migrate --ref-format=files",
        )
    return repository, git


def _find_root(place: Path) -> Path:
    """Find the root as git would, because ``safe.directory`` must name exactly it before git answers anything."""
    try:
        start = place.resolve(strict=True)
        for folder in (start, *start.parents):
            if (folder / ".git").exists():
                return folder
            if _is_git_directory(folder):
                return folder.parent if folder.name == ".git" else folder
    except OSError as error:
        raise GitError(f"cannot look for a repository: {error.strerror}", where=str(place), hint=_NOT_ONE) from error
    raise GitError("not in a git repository", where=str(place), hint=_NOT_ONE)


def _is_git_directory(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
