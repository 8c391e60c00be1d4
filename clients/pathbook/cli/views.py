"""The verb that makes the views again from the events."""

import os
import sys
from typing import Final

import click

from pathbook.cli.settings import Settings, book_options

LINES: Final = 10
"""How many lines tell of the progress off a terminal."""


@click.group("views")
def command() -> None:
    """Make the views again from the events.

    What is read are views; they can be made again at any time.
    """


@command.command()
@book_options
@click.pass_obj
def rebuild(settings: Settings) -> None:
    """Drop the views of all books in --data DIR and make them again from the events."""
    data = settings.data or os.environ.get("PATHBOOK_DATA", "")
    if settings.server or not data:
        raise click.UsageError("Which views? Name the directory of their books with --data DIR.")
    total = _with_bar(data) if sys.stderr.isatty() else _with_lines(data)
    click.echo(f"The views in {data} are made again from {total} events.")


def _with_lines(data: str) -> int:
    """Rebuild, and tell every tenth of it on a line."""
    from pathbook.cli import local

    told, total = 0, 0

    def progress(done: int, of: int) -> None:
        nonlocal told, total
        total = of
        if of and done * LINES // of > told:
            told = done * LINES // of
            click.echo(f"{done} of {of} events", err=True)

    local.rebuild(data, progress)
    return total


def _with_bar(data: str) -> int:
    """Rebuild, and draw a bar of it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from pathbook.cli import local

    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("events", total=None)
        local.rebuild(data, lambda done, of: bar.update(task, completed=done, total=of))
        return int(bar.tasks[task].total or 0)
