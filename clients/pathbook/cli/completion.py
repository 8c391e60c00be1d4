"""The verb that prints the script by which a shell completes the command line."""

import click

from pathbook.cli import printing
from pathbook.cli.settings import takes_options
from pathbook.cli.verb_group import Verb


@click.command(
    "completion",
    cls=Verb,
    epilog="""\b
Bash, in ~/.bashrc:
  eval "$(pathbook completion bash)"
Zsh, in ~/.zshrc, after compinit:
  eval "$(pathbook completion zsh)"
Fish, once:
  pathbook completion fish > ~/.config/fish/completions/pathbook.fish
Then open a new shell. Bash must be 4.4 or later.
""",
)
@takes_options()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, *, shell: str) -> None:
    """Print the completion script for a shell.

    With the script, the Tab key completes verbs, options and their values.
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion is not None, shell
    root = context.find_root()
    name = root.info_name or ""
    # click.Command.main answers the script's questions under this variable
    printing.echo(completion(root.command, {}, name, f"_{name.upper()}_COMPLETE").source())
