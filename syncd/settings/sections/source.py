"""The section ``[source]`` of ``syncd.toml``."""

from pathlib import Path
from typing import Annotated

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import File, Switch, Text, TreePath


class SourceSettings(msgspec.Struct, frozen=True):
    """``[source]``: where the desired state is read."""

    repository: Annotated[
        Path,
        Setting(
            type=File("folder"),
            says="The git repository: a work tree, a folder inside one, or a bare repository.",
            why="Commands are mostly run inside the repository.",
            default=".",
            flag="--repo",
        ),
    ]
    path: Annotated[
        str,
        Setting(
            type=TreePath(),
            says='The folder of the YAML tree inside the repository; "" is the whole repository.',
            why="The tree of the Mordomo stack stands there.",
            default="config/mordomo",
            flag="--path",
        ),
    ]
    branch: Annotated[
        str | None,
        Setting(
            type=Text(),
            says="The branch whose tip is the desired state.",
            why="What is checked out is what a person looks at.",
            otherwise="the branch checked out at start",
            flag="--branch",
        ),
    ]
    worktree: Annotated[
        bool,
        Setting(
            type=Switch(),
            says="Read the files as they are now, uncommitted edits included, instead of a commit.",
            why="Only a commit has an author, a message and a way back.",
            default=False,
            flag="--worktree",
        ),
    ]
    name: Annotated[
        str,
        Setting(
            type=Text(),
            says="The source's name; the mark on its keys is made from it.",
            why="One source to a prefix needs no other name. Changing it gives up ownership of every key.",
            otherwise="the same as store.prefix",
        ),
    ]
