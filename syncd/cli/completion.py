"""``syncd completion``."""

import click
from click.shell_completion import get_completion_class


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    For bash, put this into ~/.bashrc: eval "$(syncd completion bash)"

    For zsh, put this into ~/.zshrc: eval "$(syncd completion zsh)"

    For fish: syncd completion fish > ~/.config/fish/completions/syncd.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, "syncd", "_SYNCD_COMPLETE").source())
