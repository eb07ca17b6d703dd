"""Options that several commands share; those that are settings are made from the settings themselves."""

import os
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

from syncd import log
from syncd.settings import CATALOGUE, Setting, Settings, load
from syncd.settings.values import Choice, File, Switch

P = ParamSpec("P")
R = TypeVar("R")
_FLAGS: Final = "syncd.flags"
_READ: Final = "syncd.read"

SOURCE: Final = ("source.repository", "source.path", "store.prefix", "source.branch")
STORE: Final = ("store.address", "store.token_file", "store.datacenter")
DAEMON: Final = ("source.repository", "source.path", "store.prefix", "state_directory")
"""By which the daemon's socket is found."""
LOG: Final = ("log.level", "log.format")


def with_settings(*names: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
    """Give a command flags for some settings, and all settings as its first argument.

    A command that has no ``log.level`` flag ends by itself: its output tells what it did, so it logs no ``info``.
    """

    def decorate(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            context = click.get_current_context()
            context.meta[_READ] = partial(settings_of, context, os.environ, Path.cwd())
            settings: Settings = context.meta[_READ]()
            quiet = settings.log.level == "info" and "log.level" not in names
            log.configure(settings.log.format, "warning" if quiet else settings.log.level)
            return command(settings, *args, **kwargs)

        config_option = _option("config", "--config", metavar="FILE", help="Read this file instead of syncd.toml.")
        decorated: Callable[P, R] = config_option(run)
        for name in reversed(names):
            decorated = _setting_option(name, CATALOGUE[name])(decorated)
        return decorated

    return decorate


def settings_of(context: click.Context, environment: Mapping[str, str], directory: Path) -> Settings:
    """Read the settings with the flags of a command line."""
    flags = dict(context.meta.get(_FLAGS, {}))
    config = flags.pop("config", None)
    return load(flags, environment, directory, config=config)


def reader() -> Callable[[], Settings]:
    """Return what reads the settings of this command again: the same flags and environment, the file as it is then."""
    read: Callable[[], Settings] = click.get_current_context().meta[_READ]
    return read


def output_option(*formats: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Offer ``--output``; the first format is the default."""
    return click.option(
        "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="How to print."
    )


at_option = click.option("--at", metavar="COMMIT", help="Read this commit (an id, a tag, HEAD~1) instead of the tip.")


def _setting_option(name: str, setting: Setting) -> Callable[[Callable[P, R]], Callable[P, R]]:
    if isinstance(setting.type, Switch):
        return _option(name, setting.flag, is_flag=True, flag_value=True, default=None, help=setting.says)
    if isinstance(setting.type, Choice):
        words = setting.type.words
        return _option(
            name, setting.flag, metavar=f"[{'|'.join(words)}]", shell_complete=_completing(words), help=setting.says
        )
    kind = click.Path() if isinstance(setting.type, File) else None
    metavar = setting.type.describe.split()[0].upper()
    return _option(name, setting.flag, type=kind, metavar=metavar, help=setting.says)


def _option(name: str, flag: str, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:  # noqa: ANN401  # click's
    """Make an option that is kept aside, by the setting's name, until all settings are loaded."""

    def remember(context: click.Context, _parameter: click.Parameter, value: object) -> None:
        context.meta.setdefault(_FLAGS, {})[name] = value

    return click.option(flag, expose_value=False, callback=remember, **attributes)


def _completing(words: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    return lambda _context, _parameter, start: [CompletionItem(word) for word in words if word.startswith(start)]
