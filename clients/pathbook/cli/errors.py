"""Errors printed on stderr: one sentence for people, one object for scripts."""

import re
from collections.abc import Mapping
from typing import Final

from pathbook.cli import printing
from pathbook.cli.settings import Output

PASSWORD: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)")
"""The user and password in a URL. A URL that was given to the wrong option is repeated without them."""


class NamedError(OSError):
    """Something could not be done. The message says why, and what to do.

    Attributes:
        reason: the name for scripts.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnusableBooksError(NamedError):
    """Books cannot be opened or read."""

    def __init__(self, message: str, reason: str = "CANNOT_OPEN") -> None:
        super().__init__(reason, message)


def print_error(output: Output, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
    """Print why a command failed. In JSON, one object is all that stderr holds."""
    message = PASSWORD.sub("***", message)
    if output is Output.TABLE:
        printing.echo(printing.printable(f"pathbook: {reason}: {message}"), err=True)
        return
    error = {"reason": reason, "message": message, "metadata": dict(metadata or {})}
    printing.echo(printing.as_json({"error": error}, Output.JSONL), err=True)
