"""Signing on the command line: the option that names a key file, its passphrase, and the key that it opens."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pathbook.cli import passphrase, printing
from pathbook.cli.errors import NamedError
from pathbook.cli.settings import Output, Settings, book_options

if TYPE_CHECKING:  # imported when a key is opened
    from pathbook.client import Client, PartyKey

SIGN_WITH: Final = "PATHBOOK_SIGN_WITH"
"""The environment variable with the key file with which every verb that writes signs."""

OPENED_WITH: Final = "PATHBOOK_PASSPHRASE_FILE"
"""The environment variable with the file whose first line is the passphrase of key files."""

Command = TypeVar("Command", bound=Callable[..., object])


def write_options(command: Command) -> Command:
    """Add all options to a command that writes to a book, and those with which it signs."""
    return book_options(takes_key("The key file of the party that asks, to sign the request.")(command))


def takes_key(sentence: str, *, required: bool = False) -> Callable[[Command], Command]:
    """Return a decorator that adds --sign-with, explained by a sentence, and --passphrase-file to a command."""
    sentence = f"{sentence} Default: {SIGN_WITH}."

    def decorate(command: Command) -> Command:
        return _file_option("--sign-with", sentence, SIGN_WITH, required=required)(takes_passphrase(command))

    return decorate


def takes_passphrase(command: Command) -> Command:
    """Add --passphrase-file to a command that opens or makes a key file."""
    sentence = f"A file whose first line is the passphrase. Default: {OPENED_WITH}, else a terminal asks."
    return _file_option("--passphrase-file", sentence, OPENED_WITH)(command)


def _file_option(
    name: str, sentence: str, variable: str, *, required: bool = False
) -> Callable[[Command], Command]:
    """Return a decorator that adds an option with a file, which is kept in the settings."""
    return click.option(
        name,
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar=variable,
        required=required,
        help=sentence,
        expose_value=False,
        callback=_keep,
    )


def signer_of(settings: Settings) -> "PartyKey | None":
    """Return the key of --sign-with, None if nothing is to be signed. Raises as ``open_key``."""
    return None if settings.sign_with is None else open_key(settings, settings.sign_with)


def open_key(settings: Settings, path: Path) -> "PartyKey":
    """Return the key in a file, opened with its passphrase. A terminal is asked for it if no file has it.

    Raises:
        NamedError: it is no key file, or the passphrase is another one.
        click.UsageError: there is no passphrase.
        OSError: a file cannot be read.
    """
    from pathbook.client import read_key_file, read_public_part
    from pathbook.client.party_keys import WrongPassphraseError

    try:
        read_public_part(path)  # before anyone types a passphrase for it
        return read_key_file(path, passphrase_of(settings, path))
    except WrongPassphraseError as error:
        raise NamedError("KEY_LOCKED", f"{path} cannot be opened. {error} Nothing was sent.") from None
    except ValueError as error:
        raise unusable(path, error) from None


def answered_leaf(
    settings: Settings, client: "Client", position: int, *, is_agreement: bool = False
) -> bytes:
    """Show the event that a request answers before it is signed, and return its leaf hash. b"" if nothing is signed.

    For an agreement, the position is that of a transfer, and the event the one that agreed it.
    """
    if settings.sign_with is None:
        return b""
    from pathbook.cli import events
    from pathbook.ledger.codec import NewerEventError

    try:
        found = client.get_event(position, is_agreement=is_agreement)
    except LookupError:
        return b""  # and the book refuses the request
    except NewerEventError as error:
        raise NamedError("EVENT_NEWER", f"What you would sign is newer than this program: {error}.") from None
    if settings.output is Output.TABLE:
        newer = events.NewerEvents(settings.output)
        printing.echo(f"You sign an answer to\n{events.line(found.position, found.data, newer)}", err=True)
    return found.leaf


def passphrase_of(settings: Settings, path: Path, *, twice: bool = False) -> str:
    """Return the passphrase of a key file, from a file or typed, if twice then two times.

    Raises:
        click.UsageError: there is none.
        OSError: the file cannot be read.
    """
    if settings.passphrase_file is not None:
        return passphrase.read_passphrase(settings.passphrase_file)
    if not passphrase.can_ask():
        raise click.UsageError(
            f"{path} needs a passphrase. Give --passphrase-file FILE (or {OPENED_WITH}), or run this at a terminal."
        )
    return passphrase.ask_passphrase(twice=twice, what=f"Passphrase of {os.fspath(path)}")


def unusable(path: Path, error: ValueError) -> NamedError:
    """Return the error for a file that is no key file, or a damaged one."""
    return NamedError(
        "KEY_FILE_UNUSABLE",
        f"{path} cannot be used: {str(error).rstrip('.')}. 'pathbook keys new' makes such files.",
    )


def _keep(context: click.Context, option: click.Parameter, value: Path | None) -> None:
    if value is not None:
        setattr(context.ensure_object(Settings), option.name or "", value)
