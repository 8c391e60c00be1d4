"""The part of `audit replay` that folds an export on a cluster, and compares it with the views of a server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli import connection, printing
from pathbook.cli.exits import Exit
from pathbook.cli.exporting import missing, named_errors
from pathbook.cli.settings import Output, Settings

if TYPE_CHECKING:
    from pathbook.cluster.replaying import Folded


def replay(settings: Settings, master: str, export: Path) -> Exit:
    """Fold an export on a cluster, print what it leads to, and return the exit code.

    If a server or books are named, the fingerprint is compared with that of their views.

    Raises:
        pathbook.audit.differences.DifferenceError: the export does not hold, or the views show something else.
        pathbook.audit.differences.UncheckableError: the views are as of another position than the export.
        pathbook.cli.errors.NamedError: the export is missing or damaged.
    """
    try:
        from pathbook.cluster import replaying
    except ModuleNotFoundError as error:
        raise missing(error, "spark") from None
    named = [
        settings.server,
        settings.data,
        os.environ.get("PATHBOOK_SERVER"),
        os.environ.get("PATHBOOK_DATA"),
    ]
    if any(named):
        settings.place()  # a usage error comes before the cluster starts
    spark = replaying.session(master)
    try:
        with named_errors():
            found = replaying.replay(spark, export)
    finally:
        spark.stop()
    if any(named):
        _compare(settings, found)
    _print(settings, found, is_compared=any(named))
    return Exit.DONE


def refuse_others(given: dict[str, object]) -> None:
    """Raise click.UsageError for options of an audit without a cluster, by their names."""
    for name, value in given.items():
        if value:
            raise click.UsageError(f"Leave out {name}: it has no effect on the fold of an export (--spark).")


def _compare(settings: Settings, found: "Folded") -> None:
    from pathbook.audit.differences import DifferenceError, LaterError, Rule
    from pathbook.audit.fingerprints import TIMEOUT_S

    with connection.looking(settings) as client:
        patient = client.with_options(timeout=TIMEOUT_S)
        patient.position = found.events
        shown = patient.get_fingerprint()
    if shown.position != found.events:
        raise LaterError(
            f"The export ends at position {found.events}, and the views are as of {shown.position}. Export again, and"
            " fold it while nothing is written."
        )
    if shown.fingerprint != found.fingerprint:
        message = "the server shows another state of the book than its events lead to"
        raise DifferenceError(found.events, Rule.FINGERPRINT, message)


def _print(settings: Settings, found: "Folded", *, is_compared: bool) -> None:
    from pathbook.cli import output

    if settings.output is not Output.TABLE:
        content = {
            "difference": None,
            "origin": found.origin,
            "events": str(found.events),
            "root": found.root.hex(),
            "checkpoint": str(found.checkpoint),
            "fingerprint": found.fingerprint.hex(),
            "batches": str(found.batches),
            "runs": str(found.runs),
            "parties": str(found.parties),
            "views_compared_at": str(found.events if is_compared else 0),
        }
        printing.echo(printing.as_json(content, settings.output))
        return
    signed = (
        f"the same history as the checkpoint of {found.checkpoint}" if found.checkpoint else "no checkpoint"
    )
    views = (
        f"the same at position {found.events}" if is_compared else "not compared, because no books are named"
    )
    rows = [
        ("book", found.origin),
        ("events", str(found.events)),
        ("root", f"{found.root.hex()}, {signed}"),
        ("fingerprint", found.fingerprint.hex()),
        ("of", f"{found.batches} batches with {found.runs} runs, {found.parties} parties"),
        ("views", views),
    ]
    printing.echo(output.fields(rows))
    printing.echo("\nNO DIFFERENCE. That the events follow the rules is checked only without --spark.")
