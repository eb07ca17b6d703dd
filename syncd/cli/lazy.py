"""Commands that are loaded when they are called: ``syncd --help`` imports none of them."""

import gc
from importlib import import_module

import click


class LazyCommand(click.Command):
    """Stands in for a command in help, completion and suggestions. ``place`` is ``module:attribute``."""

    def __init__(self, name: str, place: str, help_text: str) -> None:
        super().__init__(name, help=help_text, short_help=help_text)
        self.place = place

    def load(self) -> click.Command:
        """Import the command itself."""
        module, _, attribute = self.place.partition(":")
        gc.disable()  # nothing that an import makes is garbage yet: to look for some costs a fifth of its time
        try:
            command = getattr(import_module(module), attribute)
        finally:
            gc.enable()
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """A group of lazy commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Load the command that was asked for, and no other."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest
