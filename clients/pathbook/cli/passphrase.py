"""The passphrase of keys: from a file, or typed at a terminal. It is never an argument."""

import sys
from pathlib import Path
from typing import Final

import click

MAX_PASSPHRASE_BYTES: Final = 4_096
"""The longest line that is taken for a passphrase."""

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file whose first line is the passphrase of the keys. Without it, a terminal asks.",
)


def read_passphrase(file: Path) -> str:
    """Return the first line of a file.

    Raises:
        click.UsageError: it is empty, or is no text.
        OSError: the file cannot be read.
    """
    with file.open("rb") as opened:
        line = opened.readline(MAX_PASSPHRASE_BYTES)
    try:
        passphrase = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"The first line of {file} is not UTF-8 text.") from error
    return _not_empty(passphrase, f"The first line of {file}")


def can_ask() -> bool:
    """Tell whether a person is at the terminal."""
    return sys.stdin.isatty()


def ask_passphrase(*, twice: bool, what: str = "Passphrase of the keys") -> str:
    """Ask for a passphrase, and do not show it. Raises click.UsageError if it is empty."""
    typed = click.prompt(
        what,
        default="",
        hide_input=True,
        show_default=False,
        confirmation_prompt=twice,
        err=True,
    )
    return _not_empty(str(typed), "The passphrase")


def _not_empty(passphrase: str, what: str) -> str:
    if not passphrase:
        raise click.UsageError(f"{what} is empty. An empty passphrase would protect nothing.")
    return passphrase
