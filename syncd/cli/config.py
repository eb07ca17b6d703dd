"""``syncd config``."""

import click

from syncd.cli.options import output_option, with_settings
from syncd.cli.output import print_json, print_table
from syncd.settings import CATALOGUE, Settings
from syncd.settings.defaults import shown_address
from syncd.store.endpoint import DEFAULT_ADDRESS


@click.group
def config() -> None:
    """Show settings and where each came from."""


@config.command
@with_settings(*(name for name, setting in CATALOGUE.items() if setting.flag))
@output_option("table", "json")
def show(settings: Settings, output: str) -> None:
    """Print every setting with its value and origin, the CONSUL_* variables that are set, and the subscribers."""
    if output == "json":
        rows = {name: {"value": _as_json(settings, name), "origin": settings.origin(name)} for name in CATALOGUE}
        subscribers = {name: {"told": told, "origin": origin} for name, told, origin in _subscribers(settings)}
        print_json({"settings": rows, "consul": settings.consul, "subscribers": subscribers})
    else:
        rows_shown = [(name, _shown(settings, name), settings.origin(name)) for name in CATALOGUE]
        consul = [(variable, value, "environment") for variable, value in settings.consul.items()]
        subscribers_shown = [(f"subscriber {name}", *row) for name, *row in _subscribers(settings)]
        print_table(("SETTING", "VALUE", "ORIGIN"), [*rows_shown, *consul, *subscribers_shown])


def _subscribers(settings: Settings) -> list[tuple[str, str, str]]:
    """Name each subscriber of the file, where it is told (without what may hold a token), and where it stands."""
    if not settings.subscribers:
        return []
    from syncd.daemon.line import target_of  # noqa: PLC0415  # loads longer than the rest of the command

    return [(each.name, f"{each.kind} {target_of(each)}", each.origin) for each in settings.subscribers]


def _as_json(settings: Settings, name: str) -> str | int | None:
    """Write a value as JSON; a duration as ``syncd.toml`` has it, None where nothing was chosen."""
    value = settings.value(name)
    return value if isinstance(value, int) else _written(settings, name)


def _written(settings: Settings, name: str) -> str | None:
    """Write the value in force as ``syncd.toml`` would; None where nothing was chosen."""
    value = settings.value(name)
    if value is None:
        chosen = settings.consul.get(settings.origin(name))
        return DEFAULT_ADDRESS if name == "store.address" and chosen is None else chosen
    text = CATALOGUE[name].type.show(value)
    return shown_address(text) if name == "store.address" else text


def _shown(settings: Settings, name: str) -> str:
    written = _written(settings, name)
    if written is None:
        return f"({CATALOGUE[name].otherwise})"
    return written or '""'
