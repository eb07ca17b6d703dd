"""The places where settings are given: flags, ``SYNCD_*`` and ``syncd.toml``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.subscriber import Subscriber
from syncd.core.text import did_you_mean
from syncd.settings.model import CATALOGUE, SECTIONS, variable_of
from syncd.settings.subscribers import SECTION, read_subscribers
from syncd.settings.toml import TomlFile

CONFIG_VARIABLE: Final = "SYNCD_CONFIG"
_VARIABLES: Final[Mapping[str, str]] = {variable_of(name): name for name in CATALOGUE}
_OTHERS: Final = ("SYNCD_EVENT_", "SYNCD_TEST_", "SYNCD_SERVICE_", "SYNCD_PORT")
"""Variables that look like ours but are not settings: what a subscriber's command gets, the tests' own, and what
Kubernetes sets in every pod beside a service named "syncd"
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""


class Given(msgspec.Struct, frozen=True):
    """A value as somebody gave it. ``place`` starts a message, ``origin`` is what ``config show`` says.

    ``text`` says that it is a text to decode first; relative paths start at ``base``.
    """

    value: object
    place: str
    origin: str
    base: Path
    text: bool


class Layer(msgspec.Struct, frozen=True):
    """What one place gives, by dotted name, and what is wrong with the names in it. ``path`` is that of the file."""

    given: Mapping[str, Given]
    problems: tuple[str, ...]
    subscribers: tuple[Subscriber, ...] = ()
    path: Path | None = None


def from_flags(flags: Mapping[str, object], base: Path) -> Layer:
    """Take flags by dotted name; None counts as not given."""
    given = {
        name: Given(value, CATALOGUE[name].flag, f"flag {CATALOGUE[name].flag}", base, isinstance(value, str))
        for name, value in flags.items()
        if value is not None
    }
    return Layer(given, ())


def from_environment(environment: Mapping[str, str], base: Path) -> Layer:
    """Take ``SYNCD_*``; an empty variable counts as not set, as a script's empty ``$PREFIX`` means none."""
    given: dict[str, Given] = {}
    problems: list[str] = []
    for variable, text in sorted(environment.items()):
        if name := _VARIABLES.get(variable):
            if text:
                given[name] = Given(text, variable, variable, base, True)
        elif _is_ours(variable):
            suggestion = did_you_mean(variable, [*_VARIABLES, CONFIG_VARIABLE], "_")
            problems.append(f"{variable}: there is no such setting{suggestion}")
    return Layer(given, tuple(problems))


def from_file(file: TomlFile) -> Layer:
    """Take ``syncd.toml``."""
    given: dict[str, Given] = {}
    problems: list[str] = []
    for name, value in _flat(file.content):
        place = file.place(name)
        if name in CATALOGUE:
            given[name] = Given(value, f"{place}: {name}", place, file.folder, False)
        elif name in SECTIONS:
            problems.append(f"{place}: {name} must be a section: write [{name}]")
        else:
            suggestion = did_you_mean(name, [*CATALOGUE, *SECTIONS, SECTION], ".")
            problems.append(f"{place}: there is no setting {name}{suggestion}")
    subscribers, more = read_subscribers(file)
    return Layer(given, (*problems, *more), subscribers, file.path)


def _flat(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in content.items():
        if name in SECTIONS and isinstance(value, dict):
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())
        elif name != SECTION:
            yield name, value


def _is_ours(variable: str) -> bool:
    return variable.startswith("SYNCD_") and variable != CONFIG_VARIABLE and not variable.startswith(_OTHERS)
