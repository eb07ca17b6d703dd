"""From flags, environment and files to one value for each setting, with every problem found on the way."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from syncd.core.errors import SettingsError
from syncd.settings.defaults import (
    FILE_NAME,
    SOCKET_NAME,
    SYSTEM_FOLDER,
    consul_variables,
    repository_top,
    state_directory,
)
from syncd.settings.layers import CONFIG_VARIABLE, Given, Layer, from_environment, from_file, from_flags
from syncd.settings.model import CATALOGUE, SECTIONS, Settings
from syncd.settings.toml import read_toml

_NIGHTLY: Final = "0 2 * * *"
_FROM_CONSUL: Final = {"store.address": "CONSUL_HTTP_ADDR", "store.token_file": "CONSUL_HTTP_TOKEN_FILE"}


def load(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    cwd: Path,
    *,
    config: str | None = None,
    system: Path = SYSTEM_FOLDER,
) -> Settings:
    """Put the settings together; raise SettingsError with every problem.

    ``flags`` by dotted name, None for a flag that was not given; ``config`` is what ``--config`` names.
    """
    file = _file_layer(config or environment.get(CONFIG_VARIABLE), cwd, system)
    layers = (from_flags(flags, cwd), from_environment(environment, cwd), file, _default_layer(cwd))
    problems = [problem for layer in layers for problem in layer.problems]
    values, origins = _merge(layers, problems)
    _derive(values, origins, environment, problems)
    if problems:
        by_flags = all(problem.startswith("--") for problem in problems)
        hint = "--help says what each flag takes" if by_flags else "docs/settings.md lists every setting"
        raise SettingsError(tuple(problems), hint=hint)
    sections = {section: _struct(struct, section, values) for section, struct in SECTIONS.items()}
    return Settings(
        **sections,  # type: ignore[arg-type]  # SECTIONS pairs each field's name with its type
        state_directory=values["state_directory"],
        origins=origins,
        consul=consul_variables(environment),
        subscribers=file.subscribers,
        file=file.path,
    )


def _file_layer(named: str | None, cwd: Path, system: Path) -> Layer:
    """Read the file that was named, else the first that stands in a usual place."""
    top = repository_top(cwd) / FILE_NAME
    usual = (
        (FILE_NAME, cwd / FILE_NAME),
        (os.path.relpath(top, os.path.realpath(cwd)), top),
        (str(system / FILE_NAME), system / FILE_NAME),
    )
    places = [(named, cwd / named)] if named else [place for place in usual if _stands(place[1])]
    for shown, path in places:
        try:
            return from_file(read_toml(path, shown))
        except ValueError as error:
            return Layer({}, (str(error),))
    return Layer({}, ())


def _stands(path: Path) -> bool:
    """Tell whether a file stands there, even one that cannot be read: nobody's settings are passed over in silence."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _default_layer(cwd: Path) -> Layer:
    defaults = {name: setting.default for name, setting in CATALOGUE.items() if setting.default is not None}
    return Layer({name: Given(value, "", "default", cwd, False) for name, value in defaults.items()}, ())


def _merge(layers: Iterable[Layer], problems: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Take each value from the first layer that gives it; a bad value of a lower layer is a problem too."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for name, given in layer.given.items():
            try:
                value = _read(name, given)
            except ValueError as error:
                problems.append(f"{given.place}: {error}")
            else:
                values.setdefault(name, value)
                origins.setdefault(name, given.origin)
    return values, origins


def _read(name: str, given: Given) -> object:
    kind = CATALOGUE[name].type
    value = kind.decode(str(given.value)) if given.text else given.value
    found = kind.read(value)
    return given.base / found if isinstance(found, Path) else found


def _derive(
    values: dict[str, Any], origins: dict[str, str], environment: Mapping[str, str], problems: list[str]
) -> None:
    """Fill in what depends on other settings or on the machine."""
    for name in CATALOGUE:
        variable = _FROM_CONSUL.get(name, "")
        origins.setdefault(name, variable if environment.get(variable) else "default")
    try:
        if "store.prefix" not in values:
            values["store.prefix"] = CATALOGUE["store.prefix"].type.read(values["source.path"])
    except ValueError as error:
        problems.append(f"store.prefix: source.path cannot stand in for it: {error}")
        return
    values.setdefault("source.name", values["store.prefix"])
    try:
        if "state_directory" not in values:
            repository, prefix = values["source.repository"], values["store.prefix"]
            values["state_directory"] = state_directory(environment, repository, prefix)
    except ValueError as error:
        problems.append(f"state_directory: {error}")
        return
    wanted = "snapshots.directory" in values or "snapshots.token_file" in values
    values.setdefault("snapshots.schedule", _NIGHTLY if wanted else "")
    values.setdefault("snapshots.directory", values["state_directory"] / "snapshots")
    runtime = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    values.setdefault("http.socket", (Path(runtime) if runtime else values["state_directory"]) / SOCKET_NAME)


def _struct(struct: type[msgspec.Struct], section: str, values: Mapping[str, object]) -> msgspec.Struct:
    return struct(**{name: values.get(f"{section}.{name}") for name in struct.__struct_fields__})
