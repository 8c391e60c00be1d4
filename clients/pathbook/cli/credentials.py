"""What a verb shows to a server: an API token, and certificates for TLS. Each lies in a file or in a variable.

There is no option for the token itself, because every user of a machine can list the arguments of its processes.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli.settings import Settings

if TYPE_CHECKING:  # gRPC is imported when a verb calls
    import grpc

TOKEN: Final = "PATHBOOK_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable with the API token."""

TOKEN_MAX_BYTES: Final = 4_096
"""The longest token that is read from a file."""


def token(settings: Settings) -> str:
    """Return the API token for a server, "" for none.

    Raises:
        click.UsageError: the file cannot be read, or has no token.
    """
    if settings.token_file is None:
        return os.environ.get(TOKEN, "").strip()
    found = _read("--token-file", settings.token_file)[: TOKEN_MAX_BYTES + 1]
    text = found.decode("ascii", "replace").strip()
    if (
        not text
        or len(found) > TOKEN_MAX_BYTES
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise click.UsageError(
            f"--token-file: {settings.token_file} has no token, which is one line of text."
        )
    return text


def of_channel(settings: Settings) -> "grpc.ChannelCredentials | None":
    """Return the credentials for TLS if certificates to trust are named, else None.

    Raises:
        click.UsageError: a file cannot be read, or one of a pair is missing.
    """
    trusted = _named(settings.ca, "--ca", "PATHBOOK_CA")
    certificate = _named(settings.cert, "--cert", "PATHBOOK_CERT")
    key = _named(settings.cert_key, "--cert-key", "PATHBOOK_CERT_KEY")
    if (certificate is None) is not (key is None):
        raise click.UsageError("--cert and --cert-key belong together. Give both, or neither.")
    if trusted is None:
        if certificate is not None:
            raise click.UsageError(
                "--cert needs --ca FILE: the server must be known before it is told who calls."
            )
        return None
    import grpc

    return grpc.ssl_channel_credentials(trusted, key, certificate)


def _named(given: str | None, option: str, variable: str) -> bytes | None:
    """Return the bytes of a file that an option or else a variable names, None if neither does."""
    if given is not None:
        return _read(option, given)
    named = os.environ.get(variable, "")
    return _read(variable, named) if named else None


def _read(name: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise click.UsageError(
            f"{name} names a file that cannot be read: {file} ({error.strerror})."
        ) from None
