"""Errors printed on stderr: one sentence for people, one object for scripts."""

from collections.abc import Mapping

import click

from pathbook.cli.settings import Output


class NamedError(OSError):
    """Something could not be done. The message says why, and what to do.

    Attributes:
        reason: the name for scripts.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def print_error(output: Output, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
    """Print why a command failed. In JSON, one object is all that stderr holds."""
    if output is Output.TABLE:
        click.echo(f"pathbook: {reason}: {message}", err=True)
        return
    import json

    error = {"reason": reason, "message": message, "metadata": dict(metadata or {})}
    click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
