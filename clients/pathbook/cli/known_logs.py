"""The logs that this user has met: a file that remembers the key of each, as ssh remembers hosts."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import printing

if TYPE_CHECKING:
    from pathbook.ledger.proofs.signed_note import VerifierKey

FILE_NAME: Final = "known_logs"
"""The name of the file. Each of its lines is the key of a log, as C2SP signed notes write it."""

MAX_BYTES: Final = 1_000_000
"""The most bytes of the file. There is room for some ten thousand logs."""


def known_logs_file() -> Path:
    """Return where the file is: in PATHBOOK_CONFIG if that is set, else where the system keeps settings of users."""
    named = os.environ.get("PATHBOOK_CONFIG")
    return (Path(named) if named else Path(click.get_app_dir("pathbook"))) / FILE_NAME


def known_key(origin: str) -> "VerifierKey | None":
    """Return the key that a log had when this user met it first, None if it was never met.

    Raises:
        click.ClickException: the file cannot be read, or is no such file.
    """
    from pathbook.ledger.proofs.signed_note import VerifierKey
    from pathbook.ledger.proofs.text import MalformedTextError

    place = known_logs_file()
    try:
        with place.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"The file of known logs, {place}, cannot be read: {error}") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.startswith("#"):
            try:
                key = VerifierKey.parse(line)
            except MalformedTextError as error:
                raise click.ClickException(f"Line {number} of {place}: {error} Mend or remove it.") from None
            if key.name == origin:
                return key
    return None


def remember(key: "VerifierKey") -> None:
    """Add the key of a log that was met for the first time. If the file cannot be written, say so, and go on."""
    place = known_logs_file()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as file:
            file.write(f"{key}\n")
    except OSError as error:
        printing.echo(f"pathbook: the key of {key.name} is not remembered: {error}", err=True)
