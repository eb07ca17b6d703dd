"""The section ``[catalog]`` of ``syncd.toml``."""

from pathlib import Path
from typing import Annotated

import msgspec

from syncd.settings.setting import Setting
from syncd.settings.values import File, Grants, Switch


class CatalogSettings(msgspec.Struct, frozen=True):
    """``[catalog]``: services that ask for changes by their meta in Consul's catalog."""

    subscribers: Annotated[
        bool,
        Setting(
            type=Switch(),
            says="Tell services whose meta says syncd-path and syncd-prefix.",
            why="A service then needs no line in this file; who may register services is Consul's to say.",
            default=True,
        ),
    ]
    secret_file: Annotated[
        Path | None,
        Setting(
            type=File("file"),
            says="The secrets that sign what services of the catalog are told, one a line.",
            why="One for all: Consul's meta is no place for secrets.",
            otherwise="not signed",
        ),
    ]
    values: Annotated[
        tuple[str, ...],
        Setting(
            type=Grants("SERVICE:PREFIX"),
            says="Which services of the catalog are told values, and below which prefix; all others get hashes.",
            why="Whoever may register a service would otherwise learn every value.",
            default=[],
        ),
    ]
