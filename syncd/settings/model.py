"""All settings together, and each by its dotted name; the sections stand in ``sections/``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, cast

import msgspec

from syncd.core.subscriber import Subscriber
from syncd.settings.sections.catalog import CatalogSettings
from syncd.settings.sections.http import HttpSettings
from syncd.settings.sections.log import LogSettings
from syncd.settings.sections.snapshots import SnapshotSettings
from syncd.settings.sections.source import SourceSettings
from syncd.settings.sections.store import StoreSettings
from syncd.settings.setting import Setting
from syncd.settings.values import File


class Settings(msgspec.Struct, frozen=True):
    """Every setting with its final value.

    ``origins`` says where each came from; ``consul`` holds the ``CONSUL_*`` variables that are set, as they may be
    shown. ``file`` is the ``syncd.toml`` that was read.
    """

    source: SourceSettings
    store: StoreSettings
    http: HttpSettings
    catalog: CatalogSettings
    snapshots: SnapshotSettings
    log: LogSettings
    state_directory: Annotated[
        Path,
        Setting(
            type=File("folder"),
            says="Where this machine's state is kept: the lease's session, the base of the last apply, the journal.",
            why="systemd's own choice, else the XDG folder of the person, apart for each repository and prefix.",
            otherwise="$STATE_DIRECTORY, else a folder under $XDG_STATE_HOME/syncd (~/.local/state/syncd)",
            flag="--state-directory",
        ),
    ]
    origins: Mapping[str, str]
    consul: Mapping[str, str]
    subscribers: tuple[Subscriber, ...] = ()
    file: Path | None = None

    def origin(self, name: str) -> str:
        """Say where a setting's value came from: a flag, a variable, ``file:line:column`` or ``default``."""
        return self.origins[name]

    def value(self, name: str) -> object:
        """Return a setting's value by its dotted name."""
        found: object = self
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def given(self, *names: str) -> list[tuple[str, str]]:
        """Return those of some settings that came by their flags, as flag and value."""
        flags = ((CATALOGUE[name].flag, name) for name in names)
        return [(flag, str(self.value(name))) for flag, name in flags if self.origin(name) == f"flag {flag}"]


SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "source": SourceSettings,
    "store": StoreSettings,
    "http": HttpSettings,
    "catalog": CatalogSettings,
    "snapshots": SnapshotSettings,
    "log": LogSettings,
}


def _documented(prefix: str, struct: type[msgspec.Struct]) -> Iterator[tuple[str, Setting]]:
    for field in msgspec.structs.fields(struct):
        for note in getattr(field.type, "__metadata__", ()):
            yield prefix + field.name, cast("Setting", note)


CATALOGUE: Final[Mapping[str, Setting]] = {
    **{name: setting for section, struct in SECTIONS.items() for name, setting in _documented(f"{section}.", struct)},
    **dict(_documented("", Settings)),
}
"""Every setting by its dotted name (``store.prefix``)."""


def variable_of(name: str) -> str:
    """Name the environment variable of a setting."""
    return "SYNCD_" + name.replace(".", "_").upper()
